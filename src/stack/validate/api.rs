//! The API: its routes and its stage.

use super::super::limits;
use super::super::problem::{Path, Problem};
use super::super::words::{choice, did_you_mean};
use super::super::{AccessLogsDef, RouteDef, Span, ThrottleDef};
use super::{Checks, at, select, spans};

const CONNECT: &str = "$connect";
const DISCONNECT: &str = "$disconnect";

/// Whether a key begins like API Gateway's own and is none of them.
pub(super) fn is_misspelt(key: &str) -> bool {
    key.starts_with('$') && !limits::OWN_ROUTES.contains(&key)
}

impl Checks<'_> {
    pub(super) fn api(&mut self) {
        let api = &self.stack.api;
        let (path, written) = match &api.name {
            Some(name) => (at(["api", "name"]), name.as_str()),
            None => (at(["name"]), ""),
        };
        self.name(path, &limits::API_NAME, written, &self.stack.api_name());
        if api
            .description
            .as_ref()
            .is_some_and(|text| text.chars().count() > limits::DESCRIPTION_API)
        {
            let message = format!(
                "an API's description has at most {} characters",
                limits::DESCRIPTION_API
            );
            self.error(at(["api", "description"]), message);
        }
        self.stage(&api.stage);
        self.select(api.select.as_deref());
        self.routes();
        if let Some(throttle) = api.throttle {
            self.throttle(&at(["api", "throttle"]), throttle);
        }
        if let Some(domain) = &api.domain {
            self.domain(domain);
        }
        if let Some(logs) = &api.logs {
            self.access_logs(logs);
        }
        self.variables();
    }

    fn stage(&mut self, stage: &str) {
        let here = at(["api", "stage"]);
        if stage == "$default" {
            let problem =
                Problem::error(here, "a WebSocket API cannot have `$default` as its stage");
            self.push(
                problem.hint("`production`, for instance: it becomes the last part of the URL"),
            );
        } else {
            self.name(here, &limits::STAGE_NAME, stage, stage);
        }
    }

    fn select(&mut self, expression: Option<&str>) {
        let here = at(["api", "select"]);
        match expression.map(select::read) {
            None | Some(Ok(select::Reads::Message)) => {}
            Some(Err(refusal)) => {
                self.push(Problem::error(here, refusal.message).maybe(refusal.hint));
            }
            Some(Ok(select::Reads::Nothing)) => {
                let written = expression.unwrap_or_default();
                let message = format!(
                    "`{written}` reads nothing of a message: every one takes the same route"
                );
                self.push(
                    Problem::warning(here, message).hint("the usual one is `$request.body.action`"),
                );
            }
        }
    }

    fn routes(&mut self) {
        let routes = &self.stack.api.routes;
        let here = at(["api", "routes"]);
        if routes.is_empty() {
            let problem = Problem::error(
                here.clone().itself(),
                "the API has no routes, and cannot be deployed without one",
            );
            self.push(
                problem.hint("`$connect`, `$disconnect` and one for each `action` of a message"),
            );
            return;
        }
        if routes.len() > limits::ROUTES {
            let message = format!("{} routes are more than {}", routes.len(), limits::ROUTES);
            self.error(here.clone().itself(), message);
        }
        for (key, route) in routes {
            self.route_key(&here.key(key), key);
            self.route(key, route);
        }
        self.without_dollar();
        if !self.connects() {
            let problem = Problem::warning(
                here.itself(),
                "there is no route `$connect`: anyone connects, and nobody is told",
            );
            self.push(
                problem.hint("`$connect: connect` calls function `connect` for each handshake"),
            );
        }
    }

    fn route_key(&mut self, here: &Path, key: &str) {
        let here = here.clone().itself();
        if key.is_empty() {
            self.error(here, "a route's key is empty");
        } else if key.chars().count() > limits::ROUTE_KEY {
            let message = format!("a route's key has at most {} characters", limits::ROUTE_KEY);
            self.error(here, message);
        } else if is_misspelt(key) {
            let message = format!(
                "route `{key}` begins with `$`, which is for `$connect`, `$disconnect` and `$default`"
            );
            let hint = did_you_mean(key, limits::OWN_ROUTES)
                .unwrap_or_else(|| format!("the `action` of a message has none: `{}`", &key[1..]));
            self.push(Problem::error(here, message).hint(hint));
        } else if key.chars().any(char::is_control) {
            self.error(here, "a route's key cannot have control characters");
        }
    }

    fn route(&mut self, key: &str, route: &RouteDef) {
        let here = at(["api", "routes", key]);
        let (place, full) = match route {
            RouteDef::Function(_) => (here.clone(), None),
            RouteDef::Full(full) => (here.key("function"), Some(full)),
        };
        let function = route.function();
        self.declared(place, &format!("route `{key}`"), function);
        let runs = self
            .stack
            .functions
            .get(function)
            .and_then(|function| function.timeout.as_ref());
        let runs = runs.and_then(Span::duration);
        let waits = full.and_then(|full| full.timeout.as_ref());
        let longest = std::time::Duration::from_secs(29);
        if let Some(runs) = runs
            .filter(|runs| *runs > longest && limits::FUNCTION_SECONDS.contains(&runs.as_secs()))
        {
            let message = format!(
                "function `{function}` may run {} s, and route `{key}` waits 29 s at most",
                runs.as_secs()
            );
            let here = at(["functions", function, "timeout"]);
            let hint =
                "`29s` is all that a route can use; what takes longer answers over the connection";
            self.push(Problem::warning(here, message).hint(hint));
        }
        if let Some(waits) = waits {
            self.route_timeout(&here.key("timeout"), function, waits, runs);
        }
        if full.is_some_and(|full| full.reply) && key == DISCONNECT {
            let problem = Problem::warning(
                here.key("reply"),
                "nobody is there to read a reply to `$disconnect`",
            );
            self.push(problem);
        }
        if let Some(throttle) = full.and_then(|full| full.throttle) {
            self.throttle(&here.key("throttle"), throttle);
        }
    }

    fn route_timeout(
        &mut self,
        here: &Path,
        function: &str,
        waits: &Span,
        runs: Option<std::time::Duration>,
    ) {
        let Some(duration) = waits.duration() else {
            let message = format!("timeout `{}` is not a length of time", waits.0);
            let hint = spans::hint(
                &waits.0,
                spans::MILLISECOND,
                "`10s`, or `500ms`; 29 seconds at most",
            );
            self.push(Problem::error(here.clone(), message).hint(hint));
            return;
        };
        if !limits::ROUTE_MILLIS.contains(&duration.as_millis()) {
            let message = format!("a route waits 50 ms to 29 s, and `{}` is outside", waits.0);
            let nearest = if duration.as_millis() < 50 {
                "50ms"
            } else {
                "29s"
            };
            let hint = format!("the nearest that API Gateway has is `{nearest}`");
            self.push(Problem::error(here.clone(), message).hint(hint));
        } else if runs.is_some_and(|runs| runs > duration && runs.as_secs() <= 29) {
            let message = format!(
                "the route gives up after {}, while function `{function}` may still run",
                waits.0
            );
            self.push(Problem::warning(here.clone(), message));
        }
    }

    /// A route for messages that is called like one of API Gateway's own, which is not there.
    fn without_dollar(&mut self) {
        let routes = &self.stack.api.routes;
        for own in [CONNECT, DISCONNECT] {
            let bare = &own[1..];
            let Some(route) = routes.get(bare).filter(|_| !routes.contains_key(own)) else {
                continue;
            };
            // A shipped handler that is out of its place is an error of its own.
            let named = self.stack.functions.get(route.function());
            if named.is_some_and(|function| function.handler.is_some()) {
                continue;
            }
            let message = format!("route `{bare}` is for messages whose action is `{bare}`");
            let here = at(["api", "routes", bare]).itself();
            self.push(Problem::warning(here, message).hint(format!("did you mean `{own}`?")));
        }
    }

    /// Whether there is a route for handshakes, well spelt or not.
    pub(super) fn connects(&self) -> bool {
        let routes = &self.stack.api.routes;
        routes.contains_key(CONNECT)
            || routes.contains_key(&CONNECT[1..])
            || routes.keys().any(|key| is_misspelt(key))
    }

    /// A function that something names must be there.
    pub(super) fn declared(&mut self, place: Path, whose: &str, function: &str) {
        let functions = &self.stack.functions;
        if functions.contains_key(function) {
            return;
        }
        let message = format!("{whose} names function `{function}`, which is not declared");
        let hint = choice(function, functions.keys().map(String::as_str), "declared");
        self.push(Problem::error(place, message).maybe(hint));
    }

    fn throttle(&mut self, here: &Path, throttle: ThrottleDef) {
        let ThrottleDef { rate, burst } = throttle;
        if !(rate > 0.0 && rate.is_finite()) {
            let message = format!("a rate of {rate} refuses everyone");
            self.push(
                Problem::error(here.key("rate"), message)
                    .hint("leave `throttle` away for no limit of its own"),
            );
        } else if rate > limits::ACCOUNT_RATE {
            let message = format!(
                "a rate of {rate} is above the {} of an account, unless that was raised",
                limits::ACCOUNT_RATE
            );
            self.push(Problem::warning(here.key("rate"), message));
        }
        if burst == 0 {
            let problem = Problem::error(here.key("burst"), "a burst of 0 refuses everyone");
            self.push(problem.hint("leave `throttle` away for no limit of its own"));
        } else if burst > limits::ACCOUNT_BURST {
            let message = format!(
                "a burst of {burst} is above the {} of an account, unless that was raised",
                limits::ACCOUNT_BURST
            );
            self.push(Problem::warning(here.key("burst"), message));
        }
    }

    fn access_logs(&mut self, logs: &AccessLogsDef) {
        if let Some(retention) = &logs.retention {
            self.retention(at(["api", "logs", "retention"]), retention);
        }
        let Some(format) = &logs.format else { return };
        let here = at(["api", "logs", "format"]);
        if format.contains(['\n', '\r']) {
            let problem = Problem::error(here.clone(), "an access log's format is one line");
            self.push(problem.hint("`>-` folds several lines into one"));
        }
        if format.chars().count() > limits::LOG_FORMAT {
            let message = format!(
                "an access log's format has at most {} characters",
                limits::LOG_FORMAT
            );
            self.error(here.clone(), message);
        }
        let ids = ["$context.requestId", "$context.extendedRequestId"];
        if !ids.iter().any(|id| format.contains(id)) {
            let problem = Problem::error(
                here,
                "an access log's format must have `$context.requestId` in it",
            );
            self.push(problem.hint("`$context.extendedRequestId` does, too"));
        }
    }

    fn variables(&mut self) {
        let variables = &self.stack.api.variables;
        if variables.len() > limits::STAGE_VARIABLES {
            let message = format!(
                "{} stage variables are more than {}",
                variables.len(),
                limits::STAGE_VARIABLES
            );
            self.error(at(["api", "variables"]).itself(), message);
        }
        for (name, value) in variables {
            let here = at(["api", "variables", name]);
            let named =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !named || name.len() > limits::STAGE_VARIABLE_NAME {
                let message = format!("`{name}` cannot be a stage variable's name");
                let hint = format!(
                    "letters, digits and `_`, at most {}",
                    limits::STAGE_VARIABLE_NAME
                );
                self.push(Problem::error(here.clone().itself(), message).hint(hint));
            }
            if value.is_empty() {
                self.error(
                    here,
                    format!("stage variable `{name}` is empty, which API Gateway takes as absent"),
                );
            } else if value.len() > limits::STAGE_VARIABLE_VALUE {
                let message = format!(
                    "stage variable `{name}` has at most {} characters",
                    limits::STAGE_VARIABLE_VALUE
                );
                self.error(here, message);
            } else if let Some(wrong) = value
                .chars()
                .find(|c| !limits::is_stage_variable_character(*c))
            {
                let message = format!("stage variable `{name}` cannot have {wrong:?}");
                self.push(
                    Problem::error(here, message)
                        .hint("it takes letters, digits and `-._~:/?#&=,`"),
                );
            }
        }
    }
}
