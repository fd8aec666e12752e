//! Where a conversation is held, and how one is let in: what every verb that talks begins with.

use std::path::PathBuf;

use super::Context;
use super::local;
use super::output::outputs;
use super::session::{Session, find, folder, load};
use super::token;
use crate::error::Error;
use crate::stack::{Shipped, Stack};
use crate::talk::dialect::Dialect;
use crate::talk::{Client, ConnectError, is_local};

/// A URL, what is trusted there, and how its chat is spoken to.
pub(crate) struct Door {
    pub(crate) base: String,
    pub(crate) dialect: Dialect,
    /// The stack behind it, where a file says which.
    pub(crate) stack: Option<Stack>,
    authority: Option<PathBuf>,
    /// For tokens; none where only a URL is known.
    session: Option<Session>,
}

/// Who comes in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guest<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) group: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

impl<'a> Guest<'a> {
    /// A variable that is set to nothing is not set.
    pub(crate) fn new(
        user: Option<&'a String>,
        group: Option<&'a String>,
        token: Option<&'a String>,
    ) -> Self {
        Self {
            user: user.map(String::as_str),
            group: group.map(String::as_str),
            token: token.map(String::as_str).filter(|token| !token.is_empty()),
        }
    }
}

/// What somebody means who takes the address out of a browser, or leaves its beginning out.
fn meant(url: &str) -> Option<String> {
    let begins = |scheme: &str| {
        let start = url.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if begins("ws://") || begins("wss://") {
        return None;
    }
    if let Some(rest) = url.strip_prefix("https://") {
        return Some(format!("wss://{rest}"));
    }
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    let is_here = matches!(host, "localhost" | "127.0.0.1") || url.starts_with("http://");
    Some(format!("{}://{rest}", if is_here { "ws" } else { "wss" }))
}

impl Door {
    /// The one that the URL names, or else the deployed stack's.
    pub(crate) async fn find(context: &Context, url: Option<&str>) -> Result<Self, Error> {
        match url {
            Some(url) => Self::named(context, url),
            None => Self::of_stack(context).await,
        }
    }

    /// A URL needs no stack; a file that lies here says how the chat there is spoken to.
    fn named(context: &Context, url: &str) -> Result<Self, Error> {
        if let Some(meant) = meant(url) {
            return Err(Error::usage(format!("`{url}` is no WebSocket URL"))
                .hint(format!("did you mean `{meant}`?")));
        }
        let is_asked_for = context.global.file.is_some();
        let stack = match find(context).and_then(|_| load(context)) {
            Ok(loaded) => Some(loaded.stack),
            Err(error) if is_asked_for => return Err(error),
            Err(_) => None,
        };
        let file = context.global.file.as_deref();
        let here = file.map_or_else(|| PathBuf::from("."), folder);
        Ok(Self {
            base: url.to_owned(),
            dialect: stack.as_ref().map(dialect).unwrap_or_default(),
            stack,
            authority: local::authority(&here),
            session: None,
        })
    }

    async fn of_stack(context: &Context) -> Result<Self, Error> {
        let session = Session::open(context).await?;
        if session.serves_only_now() {
            // Something else may listen on the port that `dev` would take.
            return Err(Error::failed("nobody serves the local stack now")
                .hint("run `msgai dev` in another terminal"));
        }
        let facts = session.observe().await?.facts();
        let found = outputs(&session, &facts).map(|outputs| outputs.url);
        let base = found.ok_or_else(|| {
            Error::failed("the stack is not deployed here, so there is no URL to connect to")
                .hint("make it with `msgai deploy`, or name a URL: `msgai connect ws://…`")
        })?;
        Ok(Self {
            base,
            dialect: dialect(&session.loaded.stack),
            stack: Some(session.loaded.stack.clone()),
            authority: session.authority(),
            session: Some(session),
        })
    }

    /// It is on this machine, where nothing is billed and nobody else is disturbed.
    pub(crate) fn is_here(&self) -> bool {
        is_local(&self.base)
    }

    pub(crate) fn authority(&self) -> Option<PathBuf> {
        self.authority.clone()
    }

    /// The stack's session, where tokens are made for whoever comes.
    pub(crate) fn mints(&self) -> Option<&Session> {
        self.session
            .as_ref()
            .filter(|session| token::mints(session))
    }

    /// Whether a token is asked for, and nobody here can make one.
    pub(crate) fn asks_for_token(&self) -> bool {
        let stack = self.stack.as_ref();
        stack.is_some_and(|stack| stack.authorizer().is_some()) && self.mints().is_none()
    }

    /// The URL with who comes in; a token is made anew each time where it can be.
    pub(crate) fn url(&self, guest: Guest<'_>) -> Result<String, Error> {
        let minted = match (self.mints(), guest) {
            (
                Some(session),
                Guest {
                    user: Some(user),
                    group,
                    token: None,
                },
            ) => {
                let groups: Vec<String> = group.map(str::to_owned).into_iter().collect();
                Some(token::mint(session, user, &groups, token::LASTS)?)
            }
            _ => None,
        };
        let pairs = [
            ("userId", guest.user),
            ("groupId", guest.group),
            ("token", guest.token.or(minted.as_deref())),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        let mark = match (query.is_empty(), self.base.contains('?')) {
            (true, _) => "",
            (false, true) => "&",
            (false, false) => "?",
        };
        Ok(format!("{}{mark}{query}", self.base))
    }

    pub(crate) async fn enter(&self, guest: Guest<'_>) -> Result<Client, Error> {
        let url = self.url(guest)?;
        let entering = Client::connect_by(&url, &[], &[], self.authority.as_deref());
        entering.await.map_err(|error| self.shut(&error))
    }

    /// As [`Door::enter`], for who tries again by the kind of failure.
    pub(crate) async fn dial(&self, guest: Guest<'_>) -> Result<Client, ConnectError> {
        let url = self
            .url(guest)
            .map_err(|error| ConnectError::Url(error.message))?;
        Client::connect_by(&url, &[], &[], self.authority.as_deref()).await
    }

    /// A handshake's failure as a person meets it.
    pub(crate) fn shut(&self, error: &ConnectError) -> Error {
        let base = self.base.split('?').next().unwrap_or_default();
        let hints = error.remedy().map(str::to_owned);
        Error::failed(format!("cannot connect to {base}: {error}")).hints(hints)
    }
}

/// How the chat of this stack is spoken to: what its routes are called, whoever answers them.
fn dialect(stack: &Stack) -> Dialect {
    let select = stack.api.select.as_deref();
    let select = select.unwrap_or("$request.body.action");
    let is_plain = |field: &&str| field.chars().all(|c| c.is_alphanumeric() || c == '_');
    let field = select.strip_prefix("$request.body.").filter(is_plain);
    let route = |handler: Shipped, usual: &str| {
        field?;
        let serves = |key: &str, function: &str| {
            let shipped = stack.functions.get(function).and_then(|def| def.handler);
            shipped == Some(handler) && !key.starts_with('$')
        };
        let mut routes = stack.api.routes.iter();
        let own = routes.find(|(key, def)| serves(key, def.function()));
        // `chat` goes by the route's name, and so may code that is not ours.
        let usual = || stack.api.routes.get_key_value(usual);
        own.or_else(usual).map(|(key, _)| key.as_str().to_owned())
    };
    Dialect {
        send: route(Shipped::Send, "sendMessage"),
        catch_up: route(Shipped::CatchUp, "catchUp"),
        mark_read: route(Shipped::MarkRead, "markRead"),
        typing: route(Shipped::Typing, "typing"),
        presence: route(Shipped::Presence, "presence"),
        replays: stack.tables.contains_key("timeline")
            && route(Shipped::CatchUp, "catchUp").is_some(),
        field: field.unwrap_or("action").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::load_text;

    fn spoken(edit: impl Fn(&str) -> String) -> Dialect {
        let text = edit(include_str!("../../stack.yaml"));
        let loaded = load_text(&text, "stack.yaml", None, &|_| None);
        dialect(
            &loaded
                .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
                .stack,
        )
    }

    #[test]
    fn routes_go_by_who_serves_them_and_else_by_their_name() {
        let shipped = spoken(str::to_owned);
        assert_eq!(
            shipped,
            Dialect {
                replays: true,
                ..Dialect::default()
            }
        );
        let renamed = spoken(|text| {
            let text = text.replace("sendMessage: sendMessage", "say: sendMessage");
            text.replace("    typing: rest\n", "")
                .replace("body.action", "body.kind")
        });
        assert_eq!(renamed.send.as_deref(), Some("say"));
        assert_eq!((renamed.typing, renamed.field.as_str()), (None, "kind"));
        let other = spoken(|text| text.replace("$request.body.action", "${request.body.a}/x"));
        assert_eq!((other.send, other.replays), (None, false));
    }
}
