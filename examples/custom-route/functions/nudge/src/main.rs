//! `{"action":"nudge"}`: everybody else in the sender's group hears who it was.

use std::process::ExitCode;

use handlers::{Refusal, Room, frame, run};
use serde_json::json;

fn main() -> ExitCode {
    run(nudge)
}

async fn nudge(room: &mut Room<'_>) -> Result<&'static str, Refusal> {
    let sender = room.sender().await?;
    let group = [sender.group()?];
    let frame = frame("nudge", &json!({"senderId": sender.user_id}));
    room.tell_others(&sender, &group, &frame).await?;
    Ok("nudged")
}
