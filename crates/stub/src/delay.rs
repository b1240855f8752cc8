//! How long an answer takes: always the same, anything between two bounds, or mostly near a median with a long tail.

use seam_diag::{Diagnostic, Diagnostics};
use seam_expr::Chance;
use seam_model::{Fields, Node, NodeKind, duration};
use std::time::Duration;

/// The longest that a drawn delay may become: the tail of a distribution has no end.
const LONGEST: Duration = Duration::from_hours(1);

/// A delay, drawn anew for each answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Delay {
    /// At once.
    #[default]
    None,
    /// `delay: 200ms`
    Fixed(Duration),
    /// `delay: { from: 100ms, to: 300ms }`: each duration between the two is as likely as any other.
    Between(Duration, Duration),
    /// `delay: { median: 200ms, sigma: 0.4 }`: half of them are longer than the median, few much longer, as those of real
    /// services.
    LogNormal {
        /// Half of the delays are longer.
        median: Duration,
        /// How wide they spread; 0 is no spread.
        sigma: f64,
        /// Longer ones are drawn again.
        most: Option<Duration>,
    },
}

impl Delay {
    /// Reads what stands right of `delay`.
    pub(crate) fn read(node: &Node, found: &mut Diagnostics) -> Self {
        if let NodeKind::Map(_) = node.kind {
            return Self::read_drawn(node, found);
        }
        match node.scalar_text().as_deref().map(duration) {
            Some(Ok(duration)) => Self::Fixed(duration),
            Some(Err(reason)) => {
                found.push(Diagnostic::error("`delay` is no duration").at(node.span, reason));
                Self::None
            }
            None => {
                found.push(
                    Diagnostic::error("`delay` must be a duration or a map")
                        .at(node.span, format!("this is {}", node.kind_name()))
                        .hint(
                            "write `200ms`, `{ from: 100ms, to: 300ms }` or `{ median: 200ms, sigma: 0.4 }`",
                        ),
                );
                Self::None
            }
        }
    }

    fn read_drawn(node: &Node, found: &mut Diagnostics) -> Self {
        let mut fields = Fields::of(node, "`delay`", found);
        if node.get("median").is_some() || node.get("sigma").is_some() {
            let median = fields.require("median", found).is_some().then(|| fields.duration("median", found));
            let sigma = fields.require("sigma", found).map(|sigma| read_sigma(sigma, found));
            let most = fields.duration("most", found);
            fields.finish(found);
            let (Some(Some(median)), Some(sigma)) = (median, sigma) else { return Self::None };
            return Self::LogNormal { median, sigma, most };
        }
        let from = fields.require("from", found).is_some().then(|| fields.duration("from", found));
        let to = fields.require("to", found).is_some().then(|| fields.duration("to", found));
        fields.finish(found);
        let (Some(Some(from)), Some(Some(to))) = (from, to) else { return Self::None };
        if to < from {
            found.push(Diagnostic::error("`to` is shorter than `from`").at(node.span, ""));
        }
        Self::Between(from, to)
    }

    /// One delay.
    pub fn draw(self, chance: &Chance) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Fixed(duration) => duration,
            Self::Between(from, to) => from + to.saturating_sub(from).mul_f64(unit(chance)),
            Self::LogNormal { median, sigma, most } => {
                let most = most.unwrap_or(LONGEST).min(LONGEST);
                let drawn = |_| {
                    let factor = (normal(chance) * sigma).exp();
                    Duration::try_from_secs_f64(median.as_secs_f64() * factor).unwrap_or(LONGEST)
                };
                // A bound far below the median would be met hardly ever: after some tries it is taken itself.
                (0..10).map(drawn).find(|drawn| *drawn <= most).unwrap_or(most)
            }
        }
    }
}

fn read_sigma(node: &Node, found: &mut Diagnostics) -> f64 {
    if let NodeKind::Number(number) = &node.kind
        && (0.0..=10.0).contains(&number.as_f64())
    {
        return number.as_f64();
    }
    found.push(Diagnostic::error("`sigma` must be a number from 0 to 10").at(node.span, ""));
    0.0
}

/// A number from 0 to below 1, each as likely as any other.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
pub(crate) fn unit(chance: &Chance) -> f64 {
    (chance.next() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number from the normal distribution around 0 (Box and Muller's way).
fn normal(chance: &Chance) -> f64 {
    let radius = (-2.0 * (1.0 - unit(chance)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(chance)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn delays_are_drawn_as_they_say() {
        let chance = Chance::new(1, "delay");
        assert_eq!(Delay::Fixed(ms(5)).draw(&chance), ms(5));
        let between: Vec<Duration> = (0..200).map(|_| Delay::Between(ms(10), ms(20)).draw(&chance)).collect();
        assert!(between.iter().all(|one| (ms(10)..=ms(20)).contains(one)));
        assert!(between.iter().any(|one| *one < ms(12)) && between.iter().any(|one| *one > ms(18)));
        let log = Delay::LogNormal { median: ms(100), sigma: 0.5, most: Some(ms(300)) };
        let drawn: Vec<Duration> = (0..400).map(|_| log.draw(&chance)).collect();
        let n_below = drawn.iter().filter(|one| **one < ms(100)).count();
        assert!((150..260).contains(&n_below), "{n_below} of 400 are below the median");
        assert!(drawn.iter().all(|one| *one <= ms(300)));
    }
}
