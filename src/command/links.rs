//! Where a word on a terminal leads: AWS's own page of an object, or the local cloud's console.

use super::Context;
use super::local::Local;
use super::session::Session;
use crate::describe::Address;
use crate::names::{Facts, Kind, LIVE, Place, ResourceId};
use crate::resource::{api, mapping};

/// Makes words lead somewhere, where the terminal has links and there is a page.
pub(crate) struct Links<'a> {
    place: &'a Place,
    to: To,
    /// The API's id, by which its parts are found.
    api: Option<String>,
}

/// Whose pages there are.
enum To {
    Nowhere,
    Aws,
    /// The console of the local cloud that runs.
    Console(String),
}

impl<'a> Links<'a> {
    pub(crate) fn of(context: &Context, session: &'a Session, facts: &Facts) -> Self {
        let to = match (&session.local, &session.site.address) {
            _ if !context.has_links() => To::Nowhere,
            (Some(local @ Local::Running { .. }), _) => {
                To::Console(format!("{}/_msgai", local.endpoint()))
            }
            (None, Address::Aws) => To::Aws,
            _ => To::Nowhere,
        };
        let api = facts.get(&api::id(&session.loaded.stack.id()));
        Self {
            place: &session.site.place,
            to,
            api: api.map(|api| api.id.clone()),
        }
    }

    /// The text, leading to the object's page.
    pub(crate) fn object(&self, id: &ResourceId, at: Option<&str>, text: &str) -> String {
        match (&self.to, at) {
            (To::Aws, Some(at)) => {
                let page = page(self.place, self.api.as_deref(), id, at);
                page.map_or_else(|| text.to_owned(), |page| link(&page, text))
            }
            _ => text.to_owned(),
        }
    }

    /// The chat's URL, leading to its API, or to where one can try it.
    pub(crate) fn chat(&self, url: &str) -> String {
        match (&self.to, &self.api) {
            (To::Console(console), _) => link(console, url),
            (To::Aws, Some(api)) => link(&of_api(self.place, api), url),
            _ => url.to_owned(),
        }
    }
}

/// OSC 8: a terminal that does not know it shows the text alone.
fn link(to: &str, text: &str) -> String {
    format!("\x1b]8;;{to}\x1b\\{text}\x1b]8;;\x1b\\")
}

/// Where AWS shows this object.
fn page(place: &Place, api: Option<&str>, id: &ResourceId, at: &str) -> Option<String> {
    let region = &place.region;
    let console = console(place);
    let lambda = |rest: &str| {
        let name = &id.name;
        format!("{console}/lambda/home?region={region}#/functions/{name}{rest}")
    };
    Some(match id.kind {
        Kind::Table => format!("{console}/dynamodbv2/home?region={region}#table?name={at}"),
        Kind::Role | Kind::RolePolicy => {
            let name = &id.name;
            format!("{console}/iam/home?region={region}#/roles/details/{name}")
        }
        Kind::LogGroup => {
            let name = id.name.replace('/', "$252F");
            format!("{console}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{name}")
        }
        Kind::Function => lambda(""),
        Kind::Version => lambda(&format!("/versions/{at}")),
        Kind::Alias => lambda(&format!("/aliases/{LIVE}")),
        Kind::Domain | Kind::Mapping => {
            let domain = mapping::domain_of(id);
            format!(
                "{console}/apigateway/main/publish/domain-names?domain={domain}&region={region}"
            )
        }
        _ => of_api(place, api?),
    })
}

fn of_api(place: &Place, api: &str) -> String {
    let (console, region) = (console(place), &place.region);
    format!("{console}/apigateway/main/develop/routes?api={api}&region={region}")
}

fn console(place: &Place) -> String {
    let host = match place.partition.as_str() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{}.{host}", place.region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::wrap::seen;

    fn of(kind: Kind, name: &str, at: &str) -> String {
        let place = Place {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
        };
        let page = page(&place, Some("a1b2"), &ResourceId::new(kind, name), at).unwrap();
        let page = page.strip_prefix("https://eu-west-1.console.aws.amazon.com/");
        page.unwrap().to_owned()
    }

    #[test]
    fn each_object_has_its_page() {
        assert_eq!(
            of(Kind::Alias, "chat-send", "3"),
            "lambda/home?region=eu-west-1#/functions/chat-send/aliases/live"
        );
        assert_eq!(
            of(Kind::LogGroup, "/aws/lambda/x", "/aws/lambda/x"),
            "cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fx"
        );
        assert_eq!(
            of(Kind::Route, "$connect", "r1"),
            "apigateway/main/develop/routes?api=a1b2&region=eu-west-1"
        );
    }

    #[test]
    fn a_link_takes_no_more_room_than_its_text() {
        assert_eq!(seen(&link("https://x.example/y?z=1", "table/T")), 7);
    }
}
