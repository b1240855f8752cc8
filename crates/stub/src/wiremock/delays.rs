//! How long WireMock's answers take: a fixed delay and a drawn one, of the mapping or else of all.

use super::place::Place;
use super::wrong::Wrong;
use crate::delay::Delay;
use seam_expr::Chance;
use seam_value::{Map, Value};
use std::time::Duration;

const CLASS: &str = "com.github.tomakehurst.wiremock.http.DelayDistribution";

/// A fixed delay and one that is drawn, which add up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delays {
    pub(crate) fixed: Option<Duration>,
    pub(crate) drawn: Option<Delay>,
}

impl Delays {
    /// The delay of an answer; what it doesn't say itself is that of all.
    pub(crate) fn draw(self, all: Self, chance: &Chance) -> Duration {
        let fixed = self.fixed.or(all.fixed).unwrap_or_default();
        fixed + self.drawn.or(all.drawn).map(|delay| delay.draw(chance)).unwrap_or_default()
    }
}

/// Milliseconds; negative ones are none.
pub(crate) fn millis(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

/// Reads `{ "type": "uniform", "lower": 1, "upper": 2 }`.
pub(crate) fn read_distribution(place: &Place<'_>) -> Result<Delay, Wrong> {
    place.map(CLASS)?;
    let kind = place.field("type").map(|kind| kind.text()).transpose()?;
    let need = |name: &str| place.field(name).ok_or_else(|| place.wrong(format!("{name} is missing")));
    let whole = |name: &str| need(name)?.integer();
    match kind.as_deref() {
        Some("uniform") => {
            place.object(CLASS, &["type", "lower", "upper"])?;
            let (lower, upper) = (whole("lower")?, whole("upper")?);
            if upper < lower {
                return Err(need("upper")?.wrong(format!("upper ({upper}) is below lower ({lower})")));
            }
            Ok(Delay::Between(millis(lower), millis(upper)))
        }
        Some("lognormal") => {
            place.object(CLASS, &["type", "median", "sigma", "maxValue"])?;
            let (median, sigma) = (need("median")?.number()?, need("sigma")?.number()?);
            let most = place.field("maxValue").map(|most| most.number()).transpose()?;
            if let Some(most) = most
                && most < median
            {
                return Err(place.wrong(format!(
                    "The max value ({most}) has to be greater than or equal to the median ({median}). Sigma: {sigma}"
                )));
            }
            let seconds = |millis: f64| Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default();
            Ok(Delay::LogNormal { median: seconds(median), sigma, most: most.map(seconds) })
        }
        Some("fixed") => {
            place.object(CLASS, &["type", "milliseconds"])?;
            Ok(Delay::Fixed(millis(whole("milliseconds")?)))
        }
        Some(other) => Err(place.wrong(format!(
            "Could not resolve type id '{other}' as a subtype of `{CLASS}`: known type ids = [fixed, lognormal, uniform] \
             (for POJO property 'delayDistribution')"
        ))),
        None => Err(place.wrong(format!("Could not resolve subtype of [simple type, class {CLASS}]: missing type id property 'type'"))),
    }
}

/// What holds for all stubs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) delays: Delays,
    /// As it is shown.
    pub(crate) shown: Value,
}

impl Default for Settings {
    fn default() -> Self {
        Self { delays: Delays::default(), shown: Value::map([("proxyPassThrough", Value::Bool(true))]) }
    }
}

impl Settings {
    /// Reads `{ "fixedDelay": 100 }`.
    pub(crate) fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        // What `GET` gives may come back as it is.
        if let (Some(inner), 1) = (place.field("settings"), place.value.as_map().map_or(0, Map::len)) {
            return Self::read(&inner);
        }
        let known = ["fixedDelay", "delayDistribution", "extended", "proxyPassThrough"];
        let map =
            place.object("com.github.tomakehurst.wiremock.admin.model.GetGlobalSettingsResult", &known)?;
        let fixed = place.field("fixedDelay").map(|delay| delay.integer()).transpose()?;
        let drawn = place.field("delayDistribution").map(|place| read_distribution(&place)).transpose()?;
        let kept = map.iter().filter(|(_, value)| **value != Value::Null);
        let mut shown: Map = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
        let pass = place.field("proxyPassThrough").map_or(Ok(false), |place| place.boolean())?;
        shown.insert("proxyPassThrough".to_owned(), Value::Bool(pass));
        Ok(Self { delays: Delays { fixed: fixed.map(millis), drawn }, shown: Value::Map(shown) })
    }
}
