//! What the shipped handlers need of the rest of the stack.
//!
//! They find the tables under the names `connections` and `messages`, and items by the attributes that a
//! connection and a message have.

use super::super::problem::Problem;
use super::super::{
    AttributeType, IndexDef, KeyDef, ProjectionDef, ProjectionName, Shipped, TableDef,
};
use super::{Checks, at};

const CONNECTIONS: &str = "connections";
const MESSAGES: &str = "messages";
const TIMELINE: &str = "timeline";

const TIMELINE_EXAMPLE: &str =
    "timeline: { key: { partition: owner, sort: \"position:N\" }, ttl: ttl }";

/// Those that answer without a table.
const NO_TABLES: &[Shipped] = &[Shipped::Default, Shipped::Authorize];

/// Those that store messages.
const STORING: &[Shipped] = &[Shipped::Send, Shipped::Chat];

/// Those that find people by an index.
const FINDING: &[Shipped] = &[
    Shipped::Send,
    Shipped::Typing,
    Shipped::Presence,
    Shipped::Chat,
];

/// Those that tell one user of a group from another by what the index repeats.
const TELLING_APART: &[Shipped] = &[Shipped::Typing, Shipped::Presence, Shipped::Chat];

/// What every message has without its sender's doing.
const ALWAYS_THERE: [&str; 3] = ["messageId", "senderId", "timestamp"];

/// An attribute that the handlers do not write; what is no attribute at all is told elsewhere.
fn other_ttl(ttl: &str) -> bool {
    ttl != "ttl" && !ttl.starts_with(|c: char| c.is_ascii_digit())
}

impl<'a> Checks<'a> {
    pub(super) fn shipped(&mut self) {
        let stack = self.stack;
        let first = |wanted: &dyn Fn(&Shipped) -> bool| {
            let mut functions = stack.functions.iter();
            functions
                .find_map(|(key, def)| Some((key.as_str(), def.handler.filter(|one| wanted(one))?)))
        };
        if let Some((function, _)) = first(&|one| !NO_TABLES.contains(one)) {
            self.connections(function);
        }
        if let Some((function, _)) = first(&|one| STORING.contains(one)) {
            match stack.tables.get(MESSAGES) {
                None => self.no_table(function, MESSAGES, "messages: { key: messageId }"),
                Some(table) => self.messages(table),
            }
        }
        if let Some((_, handler)) = first(&|one| FINDING.contains(one)) {
            self.ways_to_people(handler);
        }
        if let Some((_, handler)) = first(&|one| TELLING_APART.contains(one)) {
            self.repeated(handler);
        }
        match self.serving(Shipped::CatchUp, "catchUp") {
            Some(function) => self.catch_up(function),
            None if first(&|one| STORING.contains(one)).is_some() => {
                // It is used as soon as it is there.
                if let Some(table) = self.stack.tables.get(TIMELINE) {
                    self.timeline(table);
                }
            }
            None => {}
        }
        if let Some(function) = self.serving(Shipped::MarkRead, "markRead") {
            self.mark_read(function);
        }
        self.handlers_on_routes();
    }

    /// The function that does this: by its handler, or as `chat` on the route of this name.
    fn serving(&self, handler: Shipped, route: &str) -> Option<&'a str> {
        let stack = self.stack;
        let mut functions = stack.functions.iter();
        let own = functions.find(|(_, def)| def.handler == Some(handler));
        let by_chat = || {
            let key = stack.api.routes.get(route)?.function();
            let found = stack.functions.get_key_value(key)?;
            (found.1.handler == Some(Shipped::Chat)).then_some(found)
        };
        own.or_else(by_chat).map(|(key, _)| key.as_str())
    }

    fn connections(&mut self, function: &str) {
        let Some(table) = self.stack.tables.get(CONNECTIONS) else {
            self.no_table(
                function,
                CONNECTIONS,
                "connections: { key: connectionId, ttl: ttl, indexes: { userId-index: userId } }",
            );
            return;
        };
        let fits = matches!(&table.key, KeyDef::Partition(key)
            if key.name() == "connectionId" && key.kind() == Some(AttributeType::S));
        if !fits {
            let message = "the shipped handlers find a connection by `connectionId` alone";
            let problem = Problem::error(at(["tables", CONNECTIONS, "key"]), message);
            self.push(problem.hint("write `key: connectionId`"));
        }
        if table.ttl.is_none() {
            let message = "connections that end unseen stay in the table for ever";
            let problem = Problem::warning(at(["tables", CONNECTIONS]).itself(), message);
            self.push(problem.hint("write `ttl: ttl`"));
        } else if table.ttl.as_deref().is_some_and(other_ttl) {
            let message = "the shipped handlers write the time a connection expires to `ttl`";
            let problem = Problem::warning(at(["tables", CONNECTIONS, "ttl"]), message);
            self.push(problem.hint("write `ttl: ttl`"));
        }
    }

    /// Whether an index of the connections has this key; nothing is known without the table.
    fn finds_by(&self, wanted: &str) -> Option<bool> {
        let table = self.stack.tables.get(CONNECTIONS)?;
        Some(table.indexes.values().any(|index| {
            let key = index.key();
            key.name() == wanted && key.kind() == Some(AttributeType::S)
        }))
    }

    fn ways_to_people(&mut self, handler: Shipped) {
        let by = |key: &str| self.finds_by(key) != Some(false);
        if !by("userId") && !by("groupId") {
            let message = format!(
                "handler `{}` finds recipients by an index on `userId` or `groupId`, and there is neither",
                handler.word()
            );
            let problem = Problem::error(at(["tables", CONNECTIONS]).itself(), message);
            self.push(problem.hint("write `indexes: { userId-index: userId }`"));
        }
    }

    /// Without these attributes an index of a group says which connections there are, and not whose.
    fn repeated(&mut self, handler: Shipped) {
        let Some(table) = self.stack.tables.get(CONNECTIONS) else {
            return;
        };
        for (name, index) in &table.indexes {
            let IndexDef::Full(full) = index else {
                continue;
            };
            let is_enough = match &full.projection {
                None | Some(ProjectionDef::Named(ProjectionName::All)) => true,
                Some(ProjectionDef::Named(ProjectionName::Keys)) => false,
                Some(ProjectionDef::Attributes(names)) => ["userId", "connectedAt", "seenAt"]
                    .iter()
                    .all(|&one| one == full.key.name() || names.iter().any(|name| name == one)),
            };
            if !is_enough {
                let message = format!(
                    "handler `{}` reads `userId`, `connectedAt` and `seenAt` from the index, which does not repeat them",
                    handler.word()
                );
                let here = at(["tables", CONNECTIONS, "indexes", name, "projection"]);
                let problem = Problem::warning(here, message);
                self.push(problem.hint("leave `projection` out, and it repeats all"));
            }
        }
    }

    fn catch_up(&mut self, function: &str) {
        if !self.stack.tables.contains_key(MESSAGES) {
            self.no_table(function, MESSAGES, "messages: { key: messageId }");
        }
        match self.stack.tables.get(TIMELINE) {
            None => self.no_table(function, TIMELINE, TIMELINE_EXAMPLE),
            Some(table) => self.timeline(table),
        }
    }

    fn timeline(&mut self, table: &TableDef) {
        let kind = |attribute: &super::super::Attribute, name: &str, kind: AttributeType| {
            attribute.name() == name && attribute.kind() == Some(kind)
        };
        let fits = matches!(&table.key, KeyDef::Pair(pair)
            if kind(&pair.partition, "owner", AttributeType::S)
                && kind(&pair.sort, "position", AttributeType::N));
        if !fits {
            let message = "the shipped handlers keep timelines by `owner` and `position`";
            let problem = Problem::error(at(["tables", TIMELINE, "key"]), message);
            self.push(problem.hint("write `key: { partition: owner, sort: \"position:N\" }`"));
        }
        if table.ttl.as_deref().is_some_and(other_ttl) {
            let message = "the shipped handlers write the time an entry expires to `ttl`";
            let problem = Problem::warning(at(["tables", TIMELINE, "ttl"]), message);
            self.push(problem.hint("write `ttl: ttl`"));
        }
    }

    fn mark_read(&mut self, function: &str) {
        let Some(table) = self.stack.tables.get(MESSAGES) else {
            self.no_table(function, MESSAGES, "messages: { key: messageId }");
            return;
        };
        let fits = matches!(&table.key, KeyDef::Partition(key)
            if key.name() == "messageId" && key.kind() == Some(AttributeType::S));
        if !fits {
            let message = "handler `markRead` finds a message by `messageId` alone";
            let problem = Problem::error(at(["tables", MESSAGES, "key"]), message);
            self.push(problem.hint("write `key: messageId`, or leave `markRead` out"));
        }
        if self.finds_by("userId") == Some(false) {
            let message = "without an index on `userId` no sender hears that a message was read";
            let problem = Problem::warning(at(["tables", CONNECTIONS]).itself(), message);
            self.push(problem.hint("write `userId-index: userId` under `indexes`"));
        }
    }

    fn messages(&mut self, table: &TableDef) {
        let here = at(["tables", MESSAGES, "key"]);
        let attributes = match &table.key {
            KeyDef::Partition(key) => vec![(here, key)],
            KeyDef::Pair(pair) => vec![
                (here.key("partition"), &pair.partition),
                (here.key("sort"), &pair.sort),
            ],
        };
        for (place, attribute) in attributes {
            let name = attribute.name();
            if !ALWAYS_THERE.contains(&name) {
                let message = format!("a message whose sender gives no `{name}` cannot be stored");
                let problem = Problem::warning(place, message);
                self.push(
                    problem.hint(
                        "handler `send` adds `messageId`, `senderId` and `timestamp` by itself",
                    ),
                );
            }
        }
    }

    fn no_table(&mut self, function: &str, table: &str, example: &str) {
        let message =
            format!("function `{function}` is a shipped handler and needs a table `{table}`");
        let problem = Problem::error(at(["functions", function, "handler"]), message);
        self.push(problem.hint(format!("write `{example}` under `tables`")));
    }

    fn handlers_on_routes(&mut self) {
        for (key, route) in &self.stack.api.routes {
            if super::api::is_misspelt(key) {
                continue;
            }
            let Some(handler) = self
                .stack
                .functions
                .get(route.function())
                .and_then(|function| function.handler)
            else {
                continue;
            };
            let home = handler.home();
            let belongs = match home {
                Some(home) => key == home,
                None => key != "$connect" && key != "$disconnect",
            };
            if !belongs {
                let message = format!(
                    "route `{key}` calls handler `{}`, which is for {}",
                    handler.word(),
                    home.map_or("messages".to_owned(), |home| format!("`{home}`"))
                );
                let here = at(["api", "routes", key]);
                let meant = home.filter(|home| home.strip_prefix('$') == Some(key));
                let hint = match (meant, home) {
                    (Some(meant), _) => format!("did you mean `{meant}: {}`?", route.function()),
                    (None, Some(_)) => {
                        "name a function with `handler: send`, or with your own `source`".to_owned()
                    }
                    (None, None) => format!("name a function with `handler: {}`", &key[1..]),
                };
                self.push(Problem::error(here, message).hint(hint));
            }
        }
    }
}
