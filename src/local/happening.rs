//! What happens in a local cloud, as those who watch it are told.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// What just happened, for whoever watches (`dev`'s lines, tests).
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Happening {
    /// One AWS API call was answered.
    Call {
        service: &'static str,
        operation: String,
        status: u16,
        #[serde(serialize_with = "millis")]
        took: Duration,
        /// The function call that made it, when its trace tells.
        request_id: Option<String>,
    },
    Connected {
        connection_id: String,
        query: String,
    },
    /// The gateway called a function for an event of a connection.
    Event {
        connection_id: String,
        route_key: String,
        function: String,
        /// `None` when the function gave no usable answer.
        status: Option<u16>,
        #[serde(serialize_with = "millis")]
        took: Duration,
        /// The function call, as the function's log names it.
        request_id: String,
        /// How long a new environment took to start, when the call needed one.
        #[serde(serialize_with = "init_millis")]
        init: Option<Duration>,
        /// Why there is no usable answer.
        error: Option<String>,
    },
    /// A frame from the gateway to a client that no function sent, such as `Forbidden`.
    Refused {
        connection_id: String,
        message: String,
    },
    Disconnected {
        connection_id: String,
        code: u16,
        reason: String,
    },
    /// A line that a function wrote.
    Log {
        function: String,
        /// The call during which it was written.
        request_id: String,
        line: String,
    },
    /// IAM denied a call of a role's session, or would have, where denials are let through.
    Denied {
        /// The session's ARN: `arn:aws:sts::…:assumed-role/ROLE/FUNCTION`.
        principal: String,
        action: String,
        resource: String,
        /// As a person is told it.
        why: String,
        /// The statement that would allow it, or the one that denies it, as JSON.
        statement: String,
    },
    /// What a person should know about how this cloud runs their code.
    Note { text: String },
}

fn millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64() * 1000.0)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn init_millis<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, to),
        None => to.serialize_none(),
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call {
                service,
                operation,
                status,
                took,
                ..
            } => {
                write!(
                    f,
                    "call        {service}.{operation} {status} {} ms",
                    took.as_millis()
                )
            }
            Self::Connected {
                connection_id,
                query,
            } => {
                write!(f, "connected   {connection_id} {query}")
            }
            Self::Event {
                connection_id,
                route_key,
                function,
                status,
                took,
                init,
                error,
                ..
            } => {
                let status = status.map_or_else(|| "failed".to_owned(), |s| s.to_string());
                let ms = took.as_secs_f64() * 1000.0;
                write!(
                    f,
                    "{route_key:<11} {connection_id} {function} {status} {ms:.1} ms"
                )?;
                if init.is_some() {
                    f.write_str(" cold")?;
                }
                error.iter().try_for_each(|why| write!(f, ": {why}"))
            }
            Self::Refused {
                connection_id,
                message,
            } => {
                write!(f, "refused     {connection_id} {message}")
            }
            Self::Disconnected {
                connection_id,
                code,
                reason,
            } => {
                write!(f, "gone        {connection_id} {code} {reason}")
            }
            Self::Log { function, line, .. } => write!(f, "log         {function} {line}"),
            Self::Denied {
                principal,
                action,
                resource,
                why,
                ..
            } => {
                let who = principal.rsplit('/').next().unwrap_or_default();
                write!(f, "denied      {who} {action} on {resource}: {why}")
            }
            Self::Note { text } => write!(f, "note        {text}"),
        }
    }
}
