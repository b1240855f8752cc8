//! The system that is up, as the control address sees it.

use seam_control::{ComponentView, House, HouseError, SeamView};
use seam_engine::Alive;
use seam_event::{Interaction, SeamId};
use seam_expr::Names;
use seam_proxy::Rule;
use seam_steps::Act;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A system that is up.
pub(crate) struct Controlled(pub(crate) Alive);

impl House for Controlled {
    fn name(&self) -> String {
        self.0.name()
    }

    fn seams(&self) -> Vec<SeamView> {
        let view = |(id, protocol, listens)| SeamView { id, protocol, listens, leads_to: String::new() };
        self.0.seams().into_iter().map(view).collect()
    }

    fn components(&self) -> Vec<ComponentView> {
        let view = |(name, state): (String, &str)| ComponentView { name, state: state.to_owned() };
        self.0.components().into_iter().map(view).collect()
    }

    fn put<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, Result<(), HouseError>> {
        Box::pin(async move {
            if self.0.put(seam, rule).await {
                Ok(())
            } else {
                Err(HouseError::Unknown(format!("seam `{seam}`")))
            }
        })
    }

    fn take_away<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, ()> {
        Box::pin(self.0.take_away(seam, rule))
    }

    fn interactions(&self) -> BoxFuture<'_, Vec<Arc<Interaction>>> {
        Box::pin(self.0.interactions())
    }

    fn act<'a>(&'a self, component: &'a str, verb: &'a str) -> BoxFuture<'a, Result<(), HouseError>> {
        Box::pin(async move {
            if self.0.components().iter().all(|(name, _)| name != component) {
                return Err(HouseError::Unknown(format!("component `{component}`")));
            }
            let act = match verb {
                "start" => Act::Start,
                "stop" => Act::Stop,
                "kill" => Act::Kill,
                "restart" => Act::Restart,
                "pause" => Act::Pause,
                "resume" => Act::Resume,
                _ => return Err(HouseError::Unknown(format!("way to {verb} a component"))),
            };
            self.0.act(component, act).await.map_err(HouseError::Failed)
        })
    }

    fn names(&self) -> Arc<dyn Names + Send + Sync> {
        self.0.names()
    }
}
