//! How a local cloud is to be: where, how slow, how strict, and what goes wrong.

use std::path::PathBuf;
use std::time::Duration;

use super::clock::Clock;
use super::faults::Fault;

/// How a local cloud is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its state lives; `None` keeps everything in memory.
    pub dir: Option<PathBuf>,
    /// The loopback port; 0 takes any free one.
    pub port: u16,
    pub region: String,
    pub realism: Realism,
    pub clock: Clock,
    /// Whether a call that IAM denies is refused; else it is told and let through.
    pub iam: bool,
    pub manners: Manners,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
    /// HTTPS and WSS too, on the same port, and functions that find this cloud behind AWS's hosts.
    pub tls: bool,
}

/// In memory, on any port, at once.
impl Default for Options {
    fn default() -> Self {
        Self {
            dir: None,
            port: 0,
            region: "us-east-1".to_owned(),
            realism: Realism::INSTANT,
            clock: Clock::real(),
            iam: true,
            manners: Manners::default(),
            faults: Vec::new(),
            tls: false,
        }
    }
}

/// What AWS's gateway does with sockets and promises nobody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manners {
    /// A socket's message waits until the one before is dealt with; else they overlap.
    pub in_order: bool,
    /// A client's ping shows that it is not idle.
    pub pings_count: bool,
    /// How many of a hundred `$disconnect` events get lost.
    pub lost_disconnects: u8,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            in_order: false,
            pings_count: true,
            lost_disconnects: 0,
        }
    }
}

/// Whether things happen at once, or as slowly and as grudgingly as on AWS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Realism {
    /// From `CreateRole` until Lambda may assume the role.
    pub role_propagation: Duration,
    /// A new function's `Pending`, and an updated one's `InProgress`.
    pub function_pending: Duration,
    pub function_update: Duration,
    /// `CREATING` without and with indexes, `UPDATING` for an added index, `DELETING`.
    pub table_create: Duration,
    pub table_create_indexed: Duration,
    pub index_create: Duration,
    pub table_delete: Duration,
    /// A domain's `UPDATING`, when it is made or changed.
    pub domain_update: Duration,
    /// After `ACTIVE`, until point-in-time recovery may be set.
    pub recovery_available: Duration,
    /// Between two changes of a table's TTL.
    pub ttl_interval: Duration,
    /// Overlapping writes to one API or one function are refused with AWS's conflict.
    pub write_conflicts: bool,
    /// Control-plane rate limits as documented.
    pub throttles: bool,
    /// How long one write to API Gateway takes, so that writes can overlap.
    pub api_write: Duration,
    /// On the way of every call: of AWS's services, and of functions by the gateway.
    pub latency: Duration,
}

impl Realism {
    /// Nothing waits and nothing is throttled; every refusal that does not depend on time stays.
    pub const INSTANT: Self = Self {
        role_propagation: Duration::ZERO,
        function_pending: Duration::ZERO,
        function_update: Duration::ZERO,
        table_create: Duration::ZERO,
        table_create_indexed: Duration::ZERO,
        index_create: Duration::ZERO,
        table_delete: Duration::ZERO,
        domain_update: Duration::ZERO,
        recovery_available: Duration::ZERO,
        ttl_interval: Duration::ZERO,
        write_conflicts: false,
        throttles: false,
        api_write: Duration::ZERO,
        latency: Duration::ZERO,
    };

    /// Times of the order that users measured on AWS. They are estimates, never to be quoted as AWS's.
    pub const AWS: Self = Self {
        role_propagation: Duration::from_secs(8),
        function_pending: Duration::from_secs(2),
        function_update: Duration::from_millis(1500),
        table_create: Duration::from_secs(4),
        table_create_indexed: Duration::from_secs(16),
        index_create: Duration::from_mins(8),
        table_delete: Duration::from_secs(4),
        domain_update: Duration::from_secs(15),
        recovery_available: Duration::from_secs(2),
        ttl_interval: Duration::from_mins(31),
        write_conflicts: true,
        throttles: true,
        api_write: Duration::from_millis(80),
        latency: Duration::ZERO,
    };
}
