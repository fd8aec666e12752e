//! The stacks that come with the repository.

use std::path::{Path, PathBuf};

use super::super::{FILE, find, load};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn clean(file: &Path, environment: Option<&str>) -> super::super::Stack {
    let loaded = load(file, environment, &|_| None).unwrap();
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(
        warnings,
        ["without `auth` the query string is believed: anyone connects as anyone"],
        "{}",
        file.display()
    );
    loaded.stack
}

#[test]
fn the_reference_stack_serves_both_kinds_of_message() {
    for environment in [None, Some("dev")] {
        let stack = clean(&repository().join(FILE), environment);
        let indexes: Vec<_> = stack.tables["connections"].indexes.keys().collect();
        assert_eq!(indexes, ["userId-index", "GroupIdIndex"]);
    }
}

#[test]
fn messageai_has_the_names_of_its_scripts() {
    let file = repository().join("examples/messageai/stack.yaml");
    let stack = clean(&file, None);
    assert_eq!(stack.api_name(), "MessageAI-WebSocket_AlexHo");
    assert_eq!(stack.table_name("connections"), "Connections_AlexHo");
    assert_eq!(stack.table_name("messages"), "Messages");
    assert_eq!(stack.function_name("connect"), "websocket-connect_AlexHo");
    assert_eq!(
        stack.function_name("disconnect"),
        "websocket-disconnect_AlexHo"
    );
    assert_eq!(
        stack.function_name("sendMessage"),
        "websocket-sendMessage_AlexHo"
    );
    assert_eq!(
        stack.role_name("us-east-1"),
        "MessageAI-WebSocket-Role_AlexHo"
    );
    let dev = clean(&file, Some("dev"));
    assert_eq!(dev.table_name("messages"), "Messages-dev");
    assert!(!dev.tables["messages"].existing);
}

#[test]
fn nursify_has_the_names_of_its_template() {
    let file = repository().join("examples/nursify/stack.yaml");
    let stack = clean(&file, None);
    assert_eq!(stack.id().as_str(), "nursify-websocket-api");
    assert_eq!(stack.table_name("connections"), "WebSocketConnections");
    assert_eq!(stack.table_name("messages"), "ChatMessages");
    assert_eq!(stack.function_name("connect"), "WebSocketConnect");
    assert_eq!(stack.function_name("disconnect"), "WebSocketDisconnect");
    assert_eq!(stack.function_name("sendMessage"), "WebSocketSendMessage");
    assert_eq!(stack.role_name("us-east-1"), "WebSocketLambdaRole");
    assert_eq!(stack.api.stage, "production");
    assert_eq!(
        stack.outputs[".env.local"]["NEXT_PUBLIC_WS_ENDPOINT"],
        "${api.url}"
    );
    let dev = clean(&file, Some("dev"));
    assert_eq!(dev.table_name("messages"), "ChatMessages-dev");
}

#[test]
fn a_stack_file_is_found_up_to_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    assert_eq!(find(&deep), None);
    std::fs::write(folder.path().join(FILE), "").unwrap();
    assert_eq!(
        find(&deep),
        None,
        "without a repository a parent's file is a stranger's"
    );
    assert_eq!(find(folder.path()), Some(folder.path().join(FILE)));
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    assert_eq!(find(&deep), Some(folder.path().join(FILE)));
    std::fs::write(folder.path().join("a").join(FILE), "").unwrap();
    assert_eq!(
        find(&deep),
        Some(folder.path().join("a").join(FILE)),
        "the nearest"
    );
    std::fs::create_dir(deep.join(".git")).unwrap();
    assert_eq!(find(&deep), None, "not beyond the repository");
}

#[test]
fn sources_are_looked_for_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let text = super::GOOD
        .replace("    runtime: nodejs22.x\n    entry: index.handler\n", "")
        .replace("./authorize.zip", "./authorize");
    std::fs::write(&file, &text).unwrap();
    let messages = |file: &Path| -> Vec<String> {
        load(file, None, &|_| None)
            .err()
            .into_iter()
            .flat_map(|problems| problems.all)
            .map(|placed| placed.message)
            .collect()
    };
    assert_eq!(
        messages(&file),
        ["function `authorize` has its source in `./authorize`, which is not there"]
    );
    std::fs::create_dir(folder.path().join("authorize")).unwrap();
    assert_eq!(
        messages(&file),
        ["folder `./authorize` needs a `runtime` and an `entry`"]
    );
    std::fs::write(folder.path().join("authorize/Cargo.toml"), "").unwrap();
    assert_eq!(messages(&file), Vec::<String>::new());
    std::fs::write(
        &file,
        text.replace(
            "./authorize\n",
            "./authorize\n    runtime: nodejs22.x\n    entry: index.handler\n",
        ),
    )
    .unwrap();
    assert_eq!(
        messages(&file),
        ["`./authorize` is a cargo package, and cannot run on `nodejs22.x`"]
    );
}
