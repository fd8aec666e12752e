//! One stack and what people do to it: a model that is always valid, and edits that keep it so.
//!
//! Two independent stacks hardly ever share a resource; two versions of one stack do, and there the mistakes are.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

#[path = "written.rs"]
mod written;

const ROUTES: [&str; 6] = [
    "$connect",
    "$disconnect",
    "$default",
    "sendMessage",
    "chat/join",
    "chat.leave",
];
const FUNCTIONS: [&str; 4] = ["connect", "send", "audit", "gate"];
const TABLES: [&str; 2] = ["connections", "messages"];
const INDEXES: [(&str, &str); 3] = [
    ("userId-index", "userId"),
    ("by.group", "groupId"),
    ("userId-index", "owner"),
];
const TAGS: [&str; 3] = ["team", "cost.center", "a/b"];
const VARIABLES: [&str; 2] = ["LOG_LEVEL", "WHERE"];
const VALUES: [&str; 4] = ["info", "debug", "${api.id}", "${api.url}"];
const DAYS: [u16; 3] = [1, 14, 30];

/// A stack as its file has it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    functions: BTreeMap<&'static str, Function>,
    routes: BTreeMap<&'static str, Route>,
    tables: BTreeMap<&'static str, Table>,
    tags: BTreeMap<&'static str, u8>,
    roles: Roles,
    auth: Option<(&'static str, u8)>,
    stage: &'static str,
    throttle: Option<u8>,
    variables: BTreeMap<&'static str, u8>,
    metrics: bool,
    access_logs: Option<u16>,
    retention: Option<u16>,
    about: u8,
}

#[derive(Debug, Clone, Default)]
struct Function {
    name: u8,
    code: u8,
    memory: Option<u16>,
    timeout: Option<u8>,
    description: u8,
    concurrency: Option<u8>,
    environment: BTreeMap<&'static str, &'static str>,
    uses: bool,
    retention: Option<u16>,
}

#[derive(Debug, Clone)]
struct Route {
    function: &'static str,
    reply: bool,
    throttle: Option<u8>,
    timeout: Option<u8>,
}

#[derive(Debug, Clone, Default)]
struct Table {
    ttl: Option<&'static str>,
    indexes: BTreeMap<&'static str, &'static str>,
    recovery: bool,
    protection: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Roles {
    Default,
    Named(u8),
    PerFunction,
}

/// One thing that somebody changes in the file. What has no place in the stack as it is changes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edit {
    Route(&'static str, &'static str),
    Unroute(&'static str),
    Reply(&'static str, bool),
    RouteThrottle(&'static str, Option<u8>),
    RouteTimeout(&'static str, Option<u8>),
    Add(&'static str),
    Remove(&'static str),
    Rename(&'static str, u8),
    Code(&'static str, u8),
    Memory(&'static str, Option<u16>),
    Timeout(&'static str, Option<u8>),
    Describe(&'static str, u8),
    Concurrency(&'static str, Option<u8>),
    Environment(&'static str, &'static str, Option<&'static str>),
    Uses(&'static str, bool),
    Retention(&'static str, Option<u16>),
    StackRetention(Option<u16>),
    Tag(&'static str, Option<u8>),
    Throttle(Option<u8>),
    StageVariable(&'static str, Option<u8>),
    Metrics(bool),
    AccessLogs(Option<u16>),
    Stage(&'static str),
    About(u8),
    Roles(Roles),
    Auth(Option<(&'static str, u8)>),
    Table(&'static str, bool),
    Ttl(&'static str, Option<&'static str>),
    Index(&'static str, usize, bool),
    Recovery(&'static str, bool),
    Protection(&'static str, bool),
}

pub(crate) fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec(edit(), 1..=most)
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => of_routes(),
        4 => of_functions(),
        3 => of_stage(),
        2 => of_tables(),
        3 => of_access(),
    ]
}

fn of_routes() -> BoxedStrategy<Edit> {
    let route = || select(&ROUTES[..]);
    prop_oneof![
        3 => (route(), select(&FUNCTIONS[..])).prop_map(|(r, f)| Edit::Route(r, f)),
        2 => route().prop_map(Edit::Unroute),
        2 => (route(), any::<bool>()).prop_map(|(r, on)| Edit::Reply(r, on)),
        2 => (route(), prop::option::of(1..3u8)).prop_map(|(r, t)| Edit::RouteThrottle(r, t)),
        1 => (route(), prop::option::of(1..3u8)).prop_map(|(r, t)| Edit::RouteTimeout(r, t)),
    ]
    .boxed()
}

fn of_functions() -> BoxedStrategy<Edit> {
    let one = || select(&FUNCTIONS[..]);
    let value = || prop::option::of(select(&VALUES[..]));
    prop_oneof![
        one().prop_map(Edit::Add),
        one().prop_map(Edit::Remove),
        (one(), 0..3u8).prop_map(|(f, n)| Edit::Rename(f, n)),
        (one(), 0..4u8).prop_map(|(f, n)| Edit::Code(f, n)),
        (one(), prop::option::of(select(vec![128, 256]))).prop_map(|(f, m)| Edit::Memory(f, m)),
        (one(), prop::option::of(3..5u8)).prop_map(|(f, t)| Edit::Timeout(f, t)),
        (one(), 0..3u8).prop_map(|(f, n)| Edit::Describe(f, n)),
        (one(), prop::option::of(1..4u8)).prop_map(|(f, c)| Edit::Concurrency(f, c)),
        (one(), select(&VARIABLES[..]), value()).prop_map(|(f, n, v)| Edit::Environment(f, n, v)),
        (one(), any::<bool>()).prop_map(|(f, on)| Edit::Uses(f, on)),
    ]
    .boxed()
}

fn of_stage() -> BoxedStrategy<Edit> {
    let days = || prop::option::of(select(&DAYS[..]));
    prop_oneof![
        prop::option::of(1..3u8).prop_map(Edit::Throttle),
        (select(&["one", "two"][..]), prop::option::of(1..3u8))
            .prop_map(|(n, v)| Edit::StageVariable(n, v)),
        any::<bool>().prop_map(Edit::Metrics),
        days().prop_map(Edit::AccessLogs),
        select(&["production", "beta"][..]).prop_map(Edit::Stage),
        (0..3u8).prop_map(Edit::About),
        (select(&FUNCTIONS[..]), days()).prop_map(|(f, d)| Edit::Retention(f, d)),
        days().prop_map(Edit::StackRetention),
        (select(&TAGS[..]), prop::option::of(1..3u8)).prop_map(|(k, v)| Edit::Tag(k, v)),
    ]
    .boxed()
}

fn of_tables() -> BoxedStrategy<Edit> {
    let table = || select(&TABLES[..]);
    let ttl = || prop::option::of(select(&["ttl", "expires"][..]));
    prop_oneof![
        (table(), any::<bool>()).prop_map(|(t, on)| Edit::Table(t, on)),
        (table(), ttl()).prop_map(|(t, ttl)| Edit::Ttl(t, ttl)),
        (table(), 0..INDEXES.len(), any::<bool>()).prop_map(|(t, i, on)| Edit::Index(t, i, on)),
        (table(), any::<bool>()).prop_map(|(t, on)| Edit::Recovery(t, on)),
        (table(), any::<bool>()).prop_map(|(t, on)| Edit::Protection(t, on)),
    ]
    .boxed()
}

fn of_access() -> BoxedStrategy<Edit> {
    let roles = vec![
        Roles::Default,
        Roles::Named(1),
        Roles::Named(2),
        Roles::PerFunction,
    ];
    let auth = prop::option::of((select(&FUNCTIONS[..]), 0..3u8));
    prop_oneof![
        select(roles).prop_map(Edit::Roles),
        auth.prop_map(Edit::Auth),
    ]
    .boxed()
}

impl Model {
    /// A small chat.
    pub(crate) fn base() -> Self {
        let route = |function| Route {
            function,
            reply: false,
            throttle: None,
            timeout: None,
        };
        let uses = || Function {
            uses: true,
            ..Function::default()
        };
        let connections = Table {
            ttl: Some("ttl"),
            indexes: BTreeMap::from([INDEXES[0]]),
            ..Table::default()
        };
        Self {
            functions: BTreeMap::from([("connect", uses()), ("send", uses())]),
            routes: BTreeMap::from([
                ("$connect", route("connect")),
                ("sendMessage", route("send")),
            ]),
            tables: BTreeMap::from([("connections", connections)]),
            tags: BTreeMap::new(),
            roles: Roles::Default,
            auth: None,
            stage: "production",
            throttle: None,
            variables: BTreeMap::new(),
            metrics: false,
            access_logs: None,
            retention: None,
            about: 0,
        }
    }

    pub(crate) fn edited(mut self, edits: &[Edit]) -> Self {
        for edit in edits {
            self.edit(*edit);
        }
        self
    }

    fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Route(key, function) => self.route(key, function),
            Edit::Unroute(key) => self.unroute(key),
            Edit::Reply(key, on) => self.of_route(key, |route| route.reply = on),
            Edit::RouteThrottle(key, to) => self.of_route(key, |route| route.throttle = to),
            Edit::RouteTimeout(key, to) => self.of_route(key, |route| route.timeout = to),
            Edit::Add(key) => drop(self.functions.entry(key).or_default()),
            Edit::Remove(key) => self.remove(key),
            Edit::Rename(key, to) => self.of_function(key, |function| function.name = to),
            Edit::Code(key, to) => self.of_function(key, |function| function.code = to),
            Edit::Memory(key, to) => self.of_function(key, |function| function.memory = to),
            Edit::Timeout(key, to) => self.of_function(key, |function| function.timeout = to),
            Edit::Describe(key, to) => self.of_function(key, |function| function.description = to),
            Edit::Concurrency(key, to) => self.of_function(key, |f| f.concurrency = to),
            Edit::Environment(key, name, to) => {
                self.of_function(key, |function| put(&mut function.environment, name, to));
            }
            Edit::Uses(key, on) => self.of_function(key, |function| function.uses = on),
            Edit::Retention(key, to) => self.of_function(key, |function| function.retention = to),
            Edit::StackRetention(to) => self.retention = to,
            Edit::Tag(key, to) => put(&mut self.tags, key, to),
            Edit::Throttle(to) => self.throttle = to,
            Edit::StageVariable(name, to) => put(&mut self.variables, name, to),
            Edit::Metrics(on) => self.metrics = on,
            Edit::AccessLogs(to) => self.access_logs = to,
            Edit::Stage(to) => self.stage = to,
            Edit::About(to) => self.about = to,
            Edit::Roles(to) => self.roles = to,
            Edit::Auth(to) => self.authorize(to),
            Edit::Table(key, true) => drop(self.tables.entry(key).or_default()),
            Edit::Table(key, false) => drop(self.tables.remove(key)),
            Edit::Ttl(key, to) => self.of_table(key, |table| table.ttl = to),
            Edit::Index(key, which, on) => {
                let (name, attribute) = INDEXES[which];
                let to = on.then_some(attribute);
                self.of_table(key, |table| put(&mut table.indexes, name, to));
            }
            Edit::Recovery(key, on) => self.of_table(key, |table| table.recovery = on),
            Edit::Protection(key, on) => self.of_table(key, |table| table.protection = on),
        }
    }

    fn of_route(&mut self, key: &str, change: impl FnOnce(&mut Route)) {
        if let Some(route) = self.routes.get_mut(key) {
            change(route);
        }
    }

    fn of_function(&mut self, key: &str, change: impl FnOnce(&mut Function)) {
        if let Some(function) = self.functions.get_mut(key) {
            change(function);
        }
    }

    fn of_table(&mut self, key: &str, change: impl FnOnce(&mut Table)) {
        if let Some(table) = self.tables.get_mut(key) {
            change(table);
        }
    }

    fn route(&mut self, key: &'static str, function: &'static str) {
        self.functions.entry(function).or_default();
        let route = self.routes.entry(key).or_insert(Route {
            function,
            reply: false,
            throttle: None,
            timeout: None,
        });
        route.function = function;
    }

    /// An API keeps one route at least, and an authorizer its `$connect`.
    fn unroute(&mut self, key: &str) {
        let needed = key == "$connect" && self.auth.is_some();
        if self.routes.len() > 1 && !needed {
            self.routes.remove(key);
        }
    }

    /// Its routes go to another function, which has to be there.
    fn remove(&mut self, key: &str) {
        if self.functions.len() < 2 || self.functions.remove(key).is_none() {
            return;
        }
        let other = *self.functions.keys().next().expect("one is left");
        for route in self.routes.values_mut().filter(|r| r.function == key) {
            route.function = other;
        }
        if self.auth.is_some_and(|(function, _)| function == key) {
            self.auth = None;
        }
    }

    fn authorize(&mut self, to: Option<(&'static str, u8)>) {
        if let Some((function, _)) = to {
            self.route(
                "$connect",
                self.routes.get("$connect").map_or(function, |r| r.function),
            );
            self.functions.entry(function).or_default();
        }
        self.auth = to;
    }
}

fn put<V>(all: &mut BTreeMap<&'static str, V>, key: &'static str, to: Option<V>) {
    match to {
        Some(value) => drop(all.insert(key, value)),
        None => drop(all.remove(key)),
    }
}
