//! A stage, and the domains that lead to it.

use aws_sdk_apigatewayv2::types::{RouteSettings, Stage as StageObject};

use super::super::super::system::{AccessLog, Domain, Note, Stage, Throttle, strings};
use super::super::or_note;
use super::Reading;
use crate::cloud::{Cloud, CloudError};
use crate::resource::{mapping, pages};

impl Reading<'_> {
    pub(super) fn stage(&mut self, stage: &StageObject, others: &[String]) -> Stage {
        let name = stage.stage_name().unwrap_or_default().to_owned();
        let of = format!("stage/{name}");
        for other in others {
            let text = "it is left out: a deploy would remove it, and refuses unless `--drop-connections` is said";
            self.notes
                .push(Note::changes(format!("stage/{other}"), text));
        }
        let default = stage.default_route_settings();
        if stage.auto_deploy() == Some(true) {
            let text = "it deploys by itself, which is switched off: a deploy serves what is whole";
            self.notes.push(Note::changes(&of, text));
        }
        if stage.client_certificate_id().is_some() {
            self.notes
                .push(Note::stays(&of, "it has a client certificate"));
        }
        let traced = |s: &RouteSettings| {
            s.data_trace_enabled() == Some(true)
                || s.logging_level()
                    .is_some_and(|level| level.as_str() != "OFF")
        };
        let all = stage.route_settings().into_iter().flatten();
        if default.is_some_and(traced) || all.clone().any(|(_, settings)| traced(settings)) {
            self.notes
                .push(Note::stays(&of, "it writes execution logs"));
        }
        let known = all.filter_map(|(key, settings)| Some((key.clone(), throttle(settings)?)));
        Stage {
            throttle: default.and_then(throttle),
            route_throttles: known.collect(),
            metrics: default.and_then(RouteSettings::detailed_metrics_enabled) == Some(true),
            logs: self.access_log(stage, &of),
            variables: strings(
                stage
                    .stage_variables()
                    .into_iter()
                    .flatten()
                    .filter(|(_, v)| !v.is_empty()),
            ),
            tags: strings(stage.tags().into_iter().flatten()),
            name,
        }
    }

    fn access_log(&mut self, stage: &StageObject, of: &str) -> Option<AccessLog> {
        let log = stage.access_log_settings()?;
        let (to, format) = (log.destination_arn()?, log.format()?);
        let Some(group) = to.strip_prefix(&self.place.log_group_arn("")) else {
            let text = format!("its access log goes to {to}, and is switched off");
            self.notes.push(Note::changes(of, text));
            return None;
        };
        Some(AccessLog {
            group: group.trim_end_matches(":*").to_owned(),
            format: format.to_owned(),
        })
    }

    pub(super) async fn domains(
        &mut self,
        cloud: &Cloud,
        api: &str,
        stage: &str,
    ) -> Result<(), CloudError> {
        let names = pages(|token| async move {
            let page = cloud
                .call("GetDomainNames", "the account", || {
                    let get = cloud.apigateway().get_domain_names();
                    get.max_results("100").set_next_token(token.clone()).send()
                })
                .await?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        });
        let names = or_note(names.await, &mut self.notes, "api", "its custom domains")?;
        for domain in names.unwrap_or_default() {
            let name = domain.domain_name().unwrap_or_default();
            let mappings = cloud.call("GetApiMappings", name, || {
                let get = cloud.apigateway().get_api_mappings();
                get.domain_name(name).send()
            });
            let mappings = or_note(mappings.await, &mut self.notes, "api", "its custom domains")?;
            let all = mappings.iter().filter_map(|answer| answer.items.as_ref());
            let mut here: Vec<(&str, bool)> = all
                .flatten()
                .filter(|mapping| mapping.api_id() == Some(api))
                .map(|mapping| {
                    let key = mapping.api_mapping_key().unwrap_or_default();
                    (key, mapping.stage() == Some(stage))
                })
                .collect();
            here.sort_unstable();
            for (key, is_stage) in here {
                self.leads_here(name, key, is_stage);
            }
        }
        Ok(())
    }

    /// A stack file has one domain, and leads it to its one stage.
    fn leads_here(&mut self, name: &str, key: &str, is_stage: bool) {
        // Clients need one URL.
        let is_one = !name.starts_with('*');
        if is_stage && is_one && self.domain.is_none() {
            self.domain = Some(Domain {
                name: name.to_owned(),
                key: key.to_owned(),
                only: false,
            });
            return;
        }
        let written = self.domain.as_ref();
        let note = if written.is_some_and(|domain| domain.name == name) {
            let path = mapping::name(name, key);
            let text = format!(
                "{path} leads to it, too: a deploy would remove that, and refuses unless `--drop-connections` is said"
            );
            Note::changes("api", text)
        } else {
            Note::stays("api", format!("the domain {name} leads to it, too"))
        };
        self.notes.push(note);
    }
}

/// None where both are 0, as a stage without a limit of its own says it.
fn throttle(of: &RouteSettings) -> Option<Throttle> {
    let throttle = Throttle {
        rate: of.throttling_rate_limit().unwrap_or_default(),
        burst: of.throttling_burst_limit().unwrap_or_default(),
    };
    (throttle.rate > 0.0 || throttle.burst > 0).then_some(throttle)
}
