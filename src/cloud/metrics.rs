//! What CloudWatch counted.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};

use super::{Cloud, CloudError};

/// What one question takes.
const AT_ONCE: usize = 500;

/// Fifteen days of minutes of all that one question takes are 108 pages.
const PAGES: usize = 200;

/// A statistic of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) namespace: &'static str,
    pub(crate) metric: &'static str,
    /// Names and values.
    pub(crate) dimensions: Vec<(&'static str, String)>,
    /// `Sum`, `Maximum`, `p95`.
    pub(crate) statistic: &'static str,
    /// In seconds.
    pub(crate) period: i32,
}

/// From when to when, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// When a period begins, in seconds since the epoch, and its value. A period in which nothing was counted has none.
pub(crate) type Points = Vec<(i64, f64)>;

impl Cloud {
    /// The values of each series, in the order asked for.
    pub(crate) async fn metrics(
        &self,
        series: &[Series],
        span: Span,
    ) -> Result<Vec<Points>, CloudError> {
        let mut all = Vec::with_capacity(series.len());
        for part in series.chunks(AT_ONCE) {
            all.extend(self.metrics_of(part, span).await?);
        }
        Ok(all)
    }

    async fn metrics_of(&self, series: &[Series], span: Span) -> Result<Vec<Points>, CloudError> {
        let queries: Vec<_> = series.iter().enumerate().map(query).collect();
        let mut all = vec![Points::new(); series.len()];
        let mut token = None;
        for _ in 0..PAGES {
            let page = self
                .call("GetMetricData", "the stack's metrics", || {
                    self.cloudwatch()
                        .get_metric_data()
                        .set_metric_data_queries(Some(queries.clone()))
                        .start_time(DateTime::from_secs(span.from))
                        .end_time(DateTime::from_secs(span.to))
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            for result in page.metric_data_results() {
                let place = result
                    .id()
                    .and_then(|id| id.strip_prefix('m')?.parse().ok());
                let Some(points) = place.and_then(|place: usize| all.get_mut(place)) else {
                    continue;
                };
                let times = result.timestamps().iter().map(DateTime::secs);
                points.extend(times.zip(result.values().iter().copied()));
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(all)
    }
}

fn query((place, series): (usize, &Series)) -> MetricDataQuery {
    let dimensions = series.dimensions.iter().map(|(name, value)| {
        let dimension = Dimension::builder().name(*name).value(value);
        dimension.build()
    });
    let metric = Metric::builder()
        .namespace(series.namespace)
        .metric_name(series.metric)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let statistic = MetricStat::builder()
        .metric(metric)
        .period(series.period)
        .stat(series.statistic)
        .build();
    MetricDataQuery::builder()
        .id(format!("m{place}"))
        .metric_stat(statistic)
        .build()
}
