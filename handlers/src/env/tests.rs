//! The environment, variable by variable.

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::read(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn url(variables: &[(&str, &str)]) -> String {
    let mut all = vec![("CONNECTIONS_TABLE", "C")];
    all.extend(variables);
    let context = serde_json::from_value(serde_json::json!({
        "routeKey": "r", "stage": "production", "requestId": "r", "connectionId": "c",
        "domainName": "abc.execute-api.eu-west-1.amazonaws.com", "apiId": "abc"
    }));
    read(&all).unwrap().endpoint.url(&context.unwrap())
}

#[test]
fn handlers_go_by_their_names() {
    assert_eq!(Handler::named("connect"), Ok(Handler::Connect));
    assert_eq!(Handler::named("disconnect"), Ok(Handler::Disconnect));
    assert_eq!(Handler::named("send"), Ok(Handler::Send));
    for (name, handler) in HANDLERS {
        assert_eq!(Handler::named(name), Ok(*handler));
    }
    let error = Handler::named("index.handler").unwrap_err();
    assert_eq!(error.error_type(), "Runtime.UnknownHandler");
    assert!(error.to_string().contains("`index.handler`"), "{error}");
}

#[test]
fn the_connections_table_is_needed_and_the_rest_has_defaults() {
    let nothing = read(&[("CONNECTIONS_TABLE", "")]).unwrap();
    let connections = SettingsError::Missing("CONNECTIONS_TABLE");
    let messages = SettingsError::Missing("MESSAGES_TABLE");
    let alone = [Handler::Default, Handler::Authorize];
    for handler in alone {
        assert_eq!(nothing.suffice(handler), Ok(()));
    }
    let one = read(&[("CONNECTIONS_TABLE", "C")]).unwrap();
    assert_eq!(one.connections().unwrap().by_user_id, None);
    for (_, handler) in HANDLERS.iter().filter(|(_, h)| !alone.contains(h)) {
        assert_eq!(nothing.suffice(*handler), Err(connections.clone()));
        let is_content = one.suffice(*handler);
        assert!(is_content.is_ok() || is_content == Err(messages.clone()));
    }
    assert_eq!(one.suffice(Handler::Send), Err(messages));
    assert_eq!(one.suffice(Handler::Typing), Ok(()));
}

#[test]
fn chat_goes_by_the_route_and_nobody_else_does() {
    assert_eq!(Handler::Chat.on("sendMessage"), Handler::Send);
    assert_eq!(Handler::Chat.on("presence"), Handler::Presence);
    assert_eq!(Handler::Chat.on("typing"), Handler::Typing);
    for other in ["$default", "shout", "$connect"] {
        assert_eq!(Handler::Chat.on(other), Handler::Default);
        assert_eq!(Handler::Send.on(other), Handler::Send);
    }
}

#[test]
fn routes_and_presence_have_defaults_and_limits() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.presence_seconds, 600);
    assert!(settings.routes.names.is_empty());
    assert_eq!(settings.routes.field, "action");
    let said = [
        ("ROUTES", "sendMessage,typing, "),
        ("ROUTES_SELECT", "$request.body.meta.kind"),
        ("PRESENCE_SECONDS", "90"),
    ];
    let settings = read(&said).unwrap();
    assert_eq!(settings.presence_seconds, 90);
    assert_eq!(settings.routes.names, ["sendMessage", "typing"]);
    assert_eq!(settings.routes.field, "meta.kind");
    for wrong in ["0", "-1", "10m", "604801"] {
        let error = SettingsError::BadSeconds(wrong.into());
        assert_eq!(read(&[("PRESENCE_SECONDS", wrong)]), Err(error));
    }
}

#[test]
fn the_messages_key_is_message_id_unless_said_otherwise() {
    let key = |text: Option<&str>| {
        let mut all = vec![("CONNECTIONS_TABLE", "C"), ("MESSAGES_TABLE", "M")];
        all.extend(text.map(|text| ("MESSAGES_KEY", text)));
        read(&all).and_then(|settings| Ok(settings.messages()?.key.clone()))
    };
    assert_eq!(key(None).unwrap().partition().name(), "messageId");
    let pair = key(Some("groupId, timestamp:N")).unwrap();
    assert_eq!(pair.partition().name(), "groupId");
    assert_eq!(pair.sort().unwrap().name(), "timestamp");
    for wrong in ["a,b,c", ",", "a,", "data:B", ":N"] {
        assert_eq!(key(Some(wrong)), Err(SettingsError::BadKey(wrong.into())));
    }
}

#[test]
fn an_account_is_lambdas_own_variables() {
    let read = |more: &[(&str, &str)]| {
        let mut all = vec![
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
        ];
        all.extend(more);
        Account::read(|name| {
            let found = all.iter().rev().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    let plain = read(&[]).unwrap();
    assert_eq!(
        plain.dynamodb_url(),
        "https://dynamodb.eu-west-1.amazonaws.com"
    );
    assert_eq!(plain.roots, None);
    assert!(!format!("{plain:?}").contains("hush"));
    let china = read(&[("AWS_REGION", "cn-north-1")]).unwrap();
    assert_eq!(
        china.lambda_url(),
        "https://lambda.cn-north-1.amazonaws.com.cn"
    );
    let local = read(&[
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1/"),
        ("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:2"),
        ("SSL_CERT_FILE", "/a.pem"),
    ])
    .unwrap();
    assert_eq!(local.dynamodb_url(), "http://127.0.0.1:1");
    assert_eq!(local.lambda_url(), "http://127.0.0.1:2");
    assert_eq!(local.roots, Some("/a.pem".into()));
    assert_eq!(
        read(&[("AWS_SECRET_ACCESS_KEY", "")]),
        Err(SettingsError::Missing("AWS_SECRET_ACCESS_KEY"))
    );
}

#[test]
fn a_timeline_is_kept_for_a_month_unless_said_otherwise() {
    let timeline = |more: &[(&str, &str)]| {
        let mut all = vec![("CONNECTIONS_TABLE", "C"), ("MESSAGES_TABLE", "M")];
        all.extend(more);
        read(&all).and_then(|settings| Ok(settings.messages()?.timeline.clone()))
    };
    let table = |days| {
        let name = "T".to_owned();
        Ok(Some(TimelineTable { name, days }))
    };
    assert_eq!(timeline(&[]), Ok(None));
    assert_eq!(timeline(&[("TIMELINE_TABLE", "T")]), table(30));
    let days = |text| timeline(&[("TIMELINE_TABLE", "T"), ("TIMELINE_DAYS", text)]);
    assert_eq!(days("7"), table(7));
    for wrong in ["0", "-1", "a week"] {
        assert_eq!(days(wrong), Err(SettingsError::BadDays(wrong.into())));
    }
}

#[test]
fn the_endpoint_is_the_most_particular_one() {
    assert_eq!(
        url(&[]),
        "https://abc.execute-api.eu-west-1.amazonaws.com/production"
    );
    assert_eq!(
        url(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/")]),
        "http://127.0.0.1:4566/_aws/execute-api/abc/production"
    );
    assert_eq!(
        url(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            (
                "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                "http://127.0.0.1:2"
            ),
        ]),
        "http://127.0.0.1:2/_aws/execute-api/abc/production"
    );
    assert_eq!(
        url(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("MANAGEMENT_ENDPOINT", "https://chat.example.com/live/"),
        ]),
        "https://chat.example.com/live"
    );
}
