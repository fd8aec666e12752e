//! Functions, as they are: their code beside the file, their settings, what they use.

use std::collections::{BTreeMap, BTreeSet};

use super::super::system::{Function, Note, System};
use super::super::yaml::{Page, list, scalar};
use super::{Code, Writer, days};
use crate::stack::{Shipped, Use};

/// The folder beside the stack file that the code goes to.
const FOLDER: &str = "functions";

impl Writer<'_> {
    pub(super) fn functions(&mut self) {
        self.page.blank();
        if self.system.functions.is_empty() {
            self.page.comment(0, "The API calls no function.");
            self.page.line(0, "functions: {}");
            return;
        }
        self.page.line(0, "functions:");
        let usual = self.usual_retention();
        for function in in_order(self.system) {
            let (key, name) = self.of_function(function);
            let key = key.to_owned();
            self.page.line(1, &format!("{}:", scalar(&key)));
            self.page.text(2, "name", self.own(name));
            if !function.description.is_empty() {
                let text = crate::stack::variables::escape(&function.description);
                self.page.text(2, "description", &text);
            }
            self.code(function);
            self.sizes(function);
            let group = self.system.groups.get(&format!("/aws/lambda/{name}"));
            let own = group.map(|g| days(g.retention));
            if let Some(own) = own.filter(|own| Some(own) != usual.as_ref()) {
                let line = format!("logs: {{ retention: {own} }}");
                self.page.line(2, &line);
            }
            if self.shared_role().is_none() {
                self.page.text(2, "role", self.own(&function.role));
            }
            self.environment(function);
            self.uses(function);
            self.remarks(2, &format!("function/{name}"));
        }
    }

    /// A handler of ours in an API that msgai made; else the very code that runs.
    fn code(&mut self, function: &Function) {
        if let Some(shipped) = self.shipped(function) {
            self.page.line(2, &format!("handler: {}", shipped.word()));
            return;
        }
        let path = format!("{FOLDER}/{}.zip", function.name);
        self.page.line(
            2,
            &format!(
                "source: {}    # its code, as it runs",
                scalar(&format!("./{path}"))
            ),
        );
        self.page.text(2, "runtime", &function.runtime);
        self.page.text(2, "entry", &function.entry);
        self.code.push(Code {
            function: function.name.clone(),
            path,
            location: function.location.clone(),
            sha256: function.sha256.clone(),
        });
    }

    fn shipped(&self, function: &Function) -> Option<Shipped> {
        const ALL: [Shipped; 11] = [
            Shipped::Connect,
            Shipped::Disconnect,
            Shipped::Send,
            Shipped::CatchUp,
            Shipped::MarkRead,
            Shipped::Typing,
            Shipped::Presence,
            Shipped::Default,
            Shipped::Chat,
            Shipped::Authorize,
            Shipped::Deliver,
        ];
        let ours = self.system.mark.is_some() && function.runtime.starts_with("provided");
        let mut all = ALL.into_iter();
        all.find(|shipped| ours && shipped.word() == function.entry)
    }

    fn sizes(&mut self, function: &Function) {
        self.page.line(2, &format!("memory: {}", function.memory));
        self.page
            .line(2, &format!("timeout: {}s", function.timeout));
        if function.architecture != "x86_64" {
            self.page.text(2, "architecture", &function.architecture);
        }
        if let Some(executions) = function.concurrency {
            self.page.line(2, &format!("concurrency: {executions}"));
        }
    }

    /// What its role allows; where its variables name tables, only with those.
    fn uses(&mut self, function: &Function) {
        let Some(role) = self.system.roles.get(&function.role) else {
            return;
        };
        if self.shipped(function).is_some() {
            return;
        }
        let grants = &role.grants;
        let any = grants.tables.get("*");
        let named = named(function, &self.keys.tables);
        // Where one function finds its tables by variables, all do.
        let mut others = self
            .system
            .functions
            .values()
            .filter(|f| f.role == function.role);
        let by_variable = others.any(|f| !self::named(f, &self.keys.tables).is_empty());
        let is_asked = self
            .system
            .routes
            .iter()
            .any(|r| r.function == function.name);
        let mut page = Page::default();
        for (name, key) in &self.keys.tables {
            let of_table = grants.tables.get(name).into_iter().chain(any).flatten();
            let uses: BTreeSet<Use> = of_table.copied().collect();
            if !uses.is_empty() && (!by_variable || named.contains(name)) {
                let line = format!("{}: {}", scalar(&format!("tables.{key}")), words(&uses));
                page.line(3, &line);
            }
        }
        if is_asked && !grants.connections.is_empty() {
            page.line(3, &format!("connections: {}", words(&grants.connections)));
        }
        let text = page.into_text();
        if !text.is_empty() {
            self.page.line(2, "uses:");
            for line in text.lines() {
                self.page.line(0, line);
            }
        }
        if is_asked && any.is_some() && self.keys.tables.is_empty() {
            let text = "its role may use any table, and nothing says which it does use";
            let of = format!("function/{}", function.name);
            self.notes.push(Note::open(of, text));
        }
    }
}

/// As the routes come; the authorizer last.
fn in_order(system: &System) -> Vec<&Function> {
    let mut all: Vec<&Function> = system.functions.values().collect();
    all.sort_by_key(|function| {
        let mut routes = system.routes.iter();
        let first = routes.position(|route| route.function == function.name);
        first.unwrap_or(system.routes.len())
    });
    all
}

/// The tables that a function's variables hold.
fn named<'t>(function: &Function, tables: &'t BTreeMap<String, String>) -> BTreeSet<&'t String> {
    let holds = |name: &&String| function.environment.values().any(|value| value == *name);
    tables.keys().filter(holds).collect()
}

fn words(uses: &BTreeSet<Use>) -> String {
    let word = |one: &Use| match one {
        Use::Read => "read",
        Use::Write => "write",
        Use::Update => "update",
        Use::Delete => "delete",
        Use::Send => "send",
        Use::Get => "get",
        Use::Disconnect => "disconnect",
    };
    list(uses.iter().map(word))
}
