//! The steps inside a step: `together` starts them at a barrier, `use` runs a flow with variables of its own.

use crate::plan::test::PlannedStep;
use crate::run::lane::Lane;
use crate::run::step::{Ended, run_step, run_steps};
use crate::run::variables::Variables;
use futures_util::future::{BoxFuture, join_all};
use seam_expr::Names as _;
use seam_steps::{Inner, Trouble};
use seam_value::{Map, Value};
use std::sync::Arc;
use tokio::sync::Barrier;

/// One step with its lane, for its kind to run what is inside it.
pub(crate) struct Inside<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) step: &'a PlannedStep,
    pub(crate) at: &'a str,
}

impl Inner for Inside<'_> {
    fn together(&self) -> BoxFuture<'_, Result<Vec<Value>, Trouble>> {
        Box::pin(async {
            let lane = Lane { unsaid_falls_away: self.step.has_expect, ..self.lane.clone() };
            let barrier = Barrier::new(self.step.children.len());
            let running = self.step.children.iter().enumerate().map(|(index, child)| {
                let at = format!("{}.together.{index}", self.at);
                let (lane, barrier) = (&lane, &barrier);
                async move {
                    barrier.wait().await;
                    Box::pin(run_step(lane, child, &at)).await
                }
            });
            let ends = join_all(running).await;
            let worst = ends.iter().map(|end| end.ended).max().unwrap_or(Ended::Well);
            stopped_inside(worst)?;
            Ok(ends.into_iter().map(|end| end.result).collect())
        })
    }

    fn flow<'a>(&'a self, name: &'a str, with: Map) -> BoxFuture<'a, Result<Map, Trouble>> {
        Box::pin(async move {
            let Some(flow) = self.lane.flows.get(name).cloned() else {
                return Err(Trouble::errored(format!("there is no flow `{name}`")));
            };
            let chance = self.lane.variables.chance().branch(self.at);
            let folder = self.lane.bed.folder_of(flow.file);
            let mut values = Map::default();
            let variables = Arc::new(Variables::new(Map::default(), chance, &self.lane.bed, &folder));
            let file_vars = self.lane.bed.file_variables(flow.file);
            for (name, template) in file_vars {
                let value = template.render(&*variables).map_err(eval_trouble)?;
                variables.set(name, value);
            }
            for (name, default) in &flow.takes {
                let value = match (with.get(name), default) {
                    (Some(given), _) => given.clone(),
                    (None, Some(default)) => default.render(&*variables).map_err(eval_trouble)?,
                    (None, None) => {
                        return Err(Trouble::errored(format!("flow `{}` needs `{name}`", flow.name)));
                    }
                };
                variables.set(name, value);
            }
            let lane = Lane { variables: Arc::clone(&variables), ..self.lane.clone() };
            let ended = run_steps(&lane, &flow.steps, &format!("{}.use", self.at)).await;
            stopped_inside(ended)?;
            for (name, template) in &flow.gives {
                values.insert(name.clone(), template.render(&*variables).map_err(eval_trouble)?);
            }
            Ok(values)
        })
    }
}

/// What keeps a step inside from going on keeps the one around it, too. It has told itself what it was.
fn stopped_inside(worst: Ended) -> Result<(), Trouble> {
    match worst {
        Ended::Interrupted => Err(Trouble::inconclusive("somebody asked to stop")),
        Ended::Well | Ended::Softly => Ok(()),
        Ended::Inconclusive => Err(Trouble::inconclusive("a step inside could not be judged")),
        Ended::Failed => Err(Trouble::failed("a step inside failed")),
        Ended::Errored => Err(Trouble::errored("a step inside could not be done")),
    }
}

fn eval_trouble(error: seam_expr::EvalError) -> Trouble {
    Trouble::Failed { reason: error.message, span: Some(error.span) }
}
