//! Fifty clients in one group.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::STACK;
use super::deployed::deploy;
use super::person::{MESSAGE, Person, STATUS, kind_of};

const MEMBERS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_of_a_group_hears_each_message_once() {
    let chat = deploy(STACK, None).await;
    let queries = (0..MEMBERS).map(|n| format!("userId=member-{n}&groupId=ward-3"));
    let url = &chat.url;
    let joining = queries.map(|query| async move { Person::joins(url, &query).await });
    let mut members = join_all(joining).await;
    let outsider = Person::joins(&chat.url, "userId=eve&groupId=ward-4").await;

    // Three at once, so that their deliveries overlap.
    let speaking = members
        .iter_mut()
        .take(3)
        .enumerate()
        .map(|(n, member)| async move {
            let to = json!({ "groupId": "ward-3", "senderName": format!("Member {n}") });
            member.sends(&format!("m{n}"), to).await;
            member.hears(STATUS).await
        });
    for status in join_all(speaking).await {
        assert_eq!(
            (&status["status"], &status["recipients"]),
            (&json!("delivered"), &json!(MEMBERS))
        );
    }

    let heard = join_all(members.into_iter().map(Person::leaves)).await;
    for (n, frames) in heard.iter().enumerate() {
        assert!(
            frames.iter().all(|frame| kind_of(frame) == MESSAGE),
            "{frames:?}"
        );
        let id = |frame: &Value| frame["data"]["messageId"].as_str().map(str::to_owned);
        let mut ids: Vec<_> = frames.iter().filter_map(id).collect();
        ids.sort();
        assert_eq!(ids, ["m0", "m1", "m2"], "member {n}");
    }
    outsider.leaves_content().await;
    chat.local.shutdown().await;
}
