//! Scenarios: named machines of states that mappings ask for and change.

use super::mapping::Mapping;
use super::report::bucket;
use super::wrong::Wrong;
use seam_value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The first state of all.
pub(crate) const STARTED: &str = "Started";

/// The state of each scenario, by name.
#[derive(Debug, Default)]
pub(crate) struct Scenarios {
    states: BTreeMap<String, String>,
}

impl Scenarios {
    /// The state of a scenario.
    pub(crate) fn state(&self, name: &str) -> &str {
        self.states.get(name).map_or(STARTED, String::as_str)
    }

    /// Is this mapping's time?
    pub(crate) fn allow(&self, mapping: &Mapping) -> bool {
        match (&mapping.scenario, &mapping.required_state) {
            (Some(name), Some(required)) => self.state(name) == required,
            _ => true,
        }
    }

    /// A mapping was served.
    pub(crate) fn served(&mut self, mapping: &Mapping) {
        if let (Some(name), Some(state)) = (&mapping.scenario, &mapping.new_state) {
            self.states.insert(name.clone(), state.clone());
        }
    }

    /// All begin anew.
    pub(crate) fn reset(&mut self) {
        self.states.clear();
    }

    /// Those without mappings are forgotten.
    pub(crate) fn keep(&mut self, mappings: &[Arc<Mapping>]) {
        self.states.retain(|name, _| mappings.iter().any(|mapping| mapping.scenario.as_ref() == Some(name)));
    }

    /// Sets a state; none is the first.
    pub(crate) fn set(
        &mut self,
        name: &str,
        state: Option<&str>,
        mappings: &[Arc<Mapping>],
    ) -> Result<(), Wrong> {
        let possible = possible(name, mappings);
        if possible.is_empty() && !mappings.iter().any(|mapping| mapping.scenario.as_deref() == Some(name)) {
            return Err(Wrong::titled(404, 404, format!("Scenario {name} does not exist")));
        }
        match state {
            None => drop(self.states.remove(name)),
            Some(state) if possible.contains(&state) => {
                self.states.insert(name.to_owned(), state.to_owned());
            }
            Some(state) => {
                return Err(Wrong::titled(
                    422,
                    11,
                    format!("Scenario {name} does not support state {state}"),
                ));
            }
        }
        Ok(())
    }

    /// All of them, as clients read them.
    pub(crate) fn to_value(&self, mappings: &[Arc<Mapping>]) -> Value {
        let mut names: Vec<&str> =
            mappings.iter().filter_map(|mapping| mapping.scenario.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        let all = names.into_iter().map(|name| {
            // In the order in which they were added.
            let of: Vec<Value> = mappings
                .iter()
                .rev()
                .filter(|mapping| mapping.scenario.as_deref() == Some(name))
                .map(|mapping| (*mapping.shown).clone())
                .collect();
            Value::map([
                ("id", Value::text(name)),
                ("name", Value::text(name)),
                ("state", Value::text(self.state(name))),
                ("possibleStates", Value::from(possible(name, mappings))),
                ("mappings", Value::List(of)),
            ])
        });
        Value::map([("scenarios", Value::List(all.collect()))])
    }
}

fn possible<'m>(name: &str, mappings: &'m [Arc<Mapping>]) -> Vec<&'m str> {
    let of = mappings.iter().rev().filter(|mapping| mapping.scenario.as_deref() == Some(name));
    let mut states: Vec<&str> = Vec::new();
    for state in
        of.flat_map(|mapping| [mapping.required_state.as_deref(), mapping.new_state.as_deref()]).flatten()
    {
        if !states.contains(&state) {
            states.push(state);
        }
    }
    states.sort_by_key(|state| bucket(state, 16));
    states
}
