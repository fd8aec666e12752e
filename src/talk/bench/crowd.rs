//! The clients of a run, in one task: sockets wait more than they work.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::super::client::{Client, ConnectError, Frame};
use super::super::dialect::{Dialect, NoRoute};
use super::plan::{Crowd, Member, Plan};
use super::tally::{Report, Tally};

/// Handshakes under way at once.
const HANDSHAKES: usize = 200;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    Connected(usize),
    /// Sent, and received.
    Sent(usize, u64),
}

/// A message for one client to send.
struct Order {
    message: usize,
    text: String,
}

/// Connects everybody, lets them talk by the plan, waits for the rest and takes them out again.
///
/// With nobody to talk to one another there is only the report of the handshakes.
pub async fn run(
    plan: &Plan,
    members: Vec<Member>,
    dialect: &Dialect,
    dial: impl AsyncFn(&Member) -> Result<Client, ConnectError>,
    mut stop: watch::Receiver<bool>,
    tell: &dyn Fn(Progress),
) -> Result<Report, NoRoute> {
    let mut report = Report::empty();
    let (clients, members) = enter(plan, members, dial, &mut report, &mut stop, tell).await;
    let crowd = Crowd::new(members);
    if crowd.len() < 2 || *stop.borrow() {
        report.stopped = *stop.borrow();
        leave(clients).await;
        return Ok(report);
    }
    let tally = RefCell::new(Tally::new(plan, &crowd, report));
    let stage = Stage {
        plan,
        crowd: &crowd,
        tally: &tally,
        begun: Instant::now(),
        news: Notify::new(),
    };
    let stopped = stage.play(clients, dialect, stop, tell).await?;
    let mut report = tally.into_inner().report();
    report.stopped = stopped;
    Ok(report)
}

/// Those who come in, in the order of the list.
async fn enter(
    plan: &Plan,
    members: Vec<Member>,
    dial: impl AsyncFn(&Member) -> Result<Client, ConnectError>,
    report: &mut Report,
    stop: &mut watch::Receiver<bool>,
    tell: &dyn Fn(Progress),
) -> (Vec<Client>, Vec<Member>) {
    let begun = Instant::now();
    let dial = &dial;
    let entering = members
        .into_iter()
        .enumerate()
        .map(|(index, member)| async move {
            sleep_until(begun + plan.connects(index)).await;
            let started = Instant::now();
            let dialled = dial(&member).await;
            (index, member, dialled, started.elapsed())
        });
    let mut entering = std::pin::pin!(stream::iter(entering).buffer_unordered(HANDSHAKES));
    let mut inside = BTreeMap::new();
    loop {
        let entered = tokio::select! {
            Ok(_) = stop.wait_for(|stop| *stop) => break,
            entered = entering.next() => entered,
        };
        let Some((index, member, dialled, took)) = entered else {
            break;
        };
        match dialled {
            Ok(client) => {
                report.handshakes.record(took);
                inside.insert(index, (client, member));
                tell(Progress::Connected(inside.len()));
            }
            Err(error) => *report.shut_out.entry(error.to_string()).or_default() += 1,
        }
    }
    report.connecting = begun.elapsed();
    report.clients = inside.len();
    inside.into_values().unzip()
}

struct Stage<'a, 't> {
    plan: &'a Plan,
    crowd: &'a Crowd,
    tally: &'a RefCell<Tally<'t>>,
    begun: Instant,
    /// Something has arrived, or a client is gone.
    news: Notify,
}

impl Stage<'_, '_> {
    /// True when it was stopped.
    async fn play(
        &self,
        clients: Vec<Client>,
        dialect: &Dialect,
        mut stop: watch::Receiver<bool>,
        tell: &dyn Fn(Progress),
    ) -> Result<bool, NoRoute> {
        let mut orders = Vec::new();
        let mut acting = FuturesUnordered::new();
        for (index, client) in clients.into_iter().enumerate() {
            let (sender, receiver) = unbounded_channel();
            orders.push(sender);
            acting.push(self.act(index, client, receiver));
        }
        let conducting = async {
            self.conduct(&orders, dialect, tell).await?;
            self.settle().await;
            Ok(())
        };
        let played = {
            let mut conducting = std::pin::pin!(conducting);
            loop {
                tokio::select! {
                    Ok(_) = stop.wait_for(|stop| *stop) => break Ok(true),
                    done = &mut conducting => break done.map(|()| false),
                    // Who is gone has said why.
                    Some(()) = acting.next() => {}
                }
            }
        };
        // Nobody gets another order: they say goodbye.
        drop(orders);
        while acting.next().await.is_some() {}
        played
    }

    /// Hands out every message when it is due, however many wait.
    async fn conduct(
        &self,
        orders: &[UnboundedSender<Order>],
        dialect: &Dialect,
        tell: &dyn Fn(Progress),
    ) -> Result<(), NoRoute> {
        for message in 0..self.plan.all() {
            sleep_until(self.begun + self.plan.due(message)).await;
            let text = self.plan.text(message, self.crowd, dialect)?.to_string();
            let sender = self.crowd.sender(message);
            if orders[sender].send(Order { message, text }).is_err() {
                // That client is gone, and in the report as such.
                self.tally.borrow_mut().unsent();
            }
            tell(Progress::Sent(message + 1, self.tally.borrow().received()));
        }
        Ok(())
    }

    /// Waits for what is under way, for as long as the plan allows.
    async fn settle(&self) {
        let complete = async {
            loop {
                let news = self.news.notified();
                if self.is_settled() {
                    return;
                }
                news.await;
            }
        };
        timeout(self.plan.patience, complete).await.ok();
    }

    fn is_settled(&self) -> bool {
        self.tally.borrow().is_complete()
    }

    /// One client, until there are no more orders for it or it is cut off.
    async fn act(&self, index: usize, mut client: Client, mut orders: UnboundedReceiver<Order>) {
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let Some(Order { message, text }) = order else { break };
                    let at = self.begun.elapsed();
                    match client.send(&text).await {
                        Ok(()) => self.tally.borrow_mut().sent(message, at),
                        Err(error) => {
                            let mut tally = self.tally.borrow_mut();
                            tally.unsent();
                            tally.error(&error.to_string());
                        }
                    }
                }
                frame = client.next() => match frame {
                    Frame::Text(text) => {
                        let at = self.begun.elapsed();
                        self.tally.borrow_mut().frame(index, &text, at);
                        self.news.notify_one();
                    }
                    Frame::Closed(closed) => {
                        let mut tally = self.tally.borrow_mut();
                        tally.error(&format!("connection closed {closed}"));
                        orders.close();
                        while orders.try_recv().is_ok() {
                            tally.unsent();
                        }
                        return self.news.notify_one();
                    }
                    Frame::Binary(_) | Frame::Pong(_) => {}
                },
            }
        }
        goodbye(client).await;
    }
}

async fn leave(clients: Vec<Client>) {
    let mut leaving: FuturesUnordered<_> = clients.into_iter().map(goodbye).collect();
    while leaving.next().await.is_some() {}
}

/// An orderly one, so that `$disconnect` hears of it and the row goes.
async fn goodbye(mut client: Client) {
    let leaving = async {
        if client.leave().await.is_ok() {
            while !matches!(client.next().await, Frame::Closed(_)) {}
        }
    };
    timeout(GOODBYE, leaving).await.ok();
}

#[cfg(test)]
mod tests {
    use super::super::super::echo::with_server;
    use super::super::plan::tests::plan;
    use super::*;

    fn members(count: usize) -> Vec<Member> {
        let member = |n| Member {
            user: format!("u{n}"),
            group: None,
        };
        (0..count).map(member).collect()
    }

    /// The server of these tests says to nobody but the sender what it hears.
    #[tokio::test]
    async fn everything_is_sent_on_time_and_what_does_not_come_is_lost() {
        let report = with_server(async |url| {
            let plan = Plan {
                rate: 1000.0,
                patience: Duration::from_millis(50),
                ..plan()
            };
            let dial = async |_: &Member| Client::connect(&url, &[], &[]).await;
            let (_never, stop) = watch::channel(false);
            run(&plan, members(3), &Dialect::default(), dial, stop, &|_| {}).await
        });
        let report = report.await.unwrap();
        assert_eq!(
            (
                report.clients,
                report.sent,
                report.expected,
                report.received
            ),
            (3, 4, 4, 0)
        );
        assert_eq!(report.dropped(), 4);
        assert!(!report.is_clean() && !report.stopped);
    }

    #[tokio::test]
    async fn who_is_refused_is_counted_and_nobody_talks_alone() {
        let report = with_server(async |url| {
            let dial = async |member: &Member| {
                let query = if member.user == "u0" {
                    ""
                } else {
                    "?refuse=429"
                };
                Client::connect(&format!("{url}{query}"), &[], &[]).await
            };
            let (_never, stop) = watch::channel(false);
            run(
                &plan(),
                members(3),
                &Dialect::default(),
                dial,
                stop,
                &|_| {},
            )
            .await
        });
        let report = report.await.unwrap();
        assert_eq!((report.clients, report.sent), (1, 0));
        let (why, count) = report.shut_out.first_key_value().unwrap();
        assert!(why.contains("429") && *count == 2, "{why}");
    }

    #[tokio::test]
    async fn a_stop_takes_everybody_out() {
        let report = with_server(async |url| {
            let (stopper, stop) = watch::channel(false);
            let dial = async |_: &Member| Client::connect(&url, &[], &[]).await;
            let tell = |progress: Progress| {
                if let Progress::Sent(1, _) = progress {
                    stopper.send(true).unwrap();
                }
            };
            let plan = Plan {
                rate: 0.001,
                ..plan()
            };
            run(&plan, members(2), &Dialect::default(), dial, stop, &tell).await
        });
        assert!(report.await.unwrap().stopped);
    }
}
