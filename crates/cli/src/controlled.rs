//! The system that is up, as the control address sees it.

use jiff::Timestamp;
use seam_control::{BoxFuture, ComponentView, House, HouseError, SeamView, Seams};
use seam_engine::Alive;
use seam_event::{Interaction, SeamId};
use seam_expr::Names;
use seam_history::Masker;
use seam_proxy::Rule;
use seam_steps::Act;
use std::sync::Arc;

/// A system that is up, and what stands beside it.
pub(crate) struct Controlled {
    pub(crate) system: Alive,
    pub(crate) masker: Masker,
    /// Seams that belong to no component; none where the command line names none.
    pub(crate) beside: Option<Arc<Seams>>,
}

impl Controlled {
    /// The seams beside the system, where this is one of them.
    fn beside(&self, seam: &SeamId) -> Option<&Arc<Seams>> {
        self.beside.as_ref().filter(|beside| beside.seams().iter().any(|view| view.id == *seam))
    }
}

impl House for Controlled {
    fn name(&self) -> String {
        self.system.name()
    }

    fn seams(&self) -> Vec<SeamView> {
        let view = |(id, protocol, listens)| {
            let leads_to = self.system.leads_to(&id);
            SeamView { id, protocol, listens, leads_to }
        };
        self.system
            .seams()
            .into_iter()
            .map(view)
            .chain(self.beside.iter().flat_map(|beside| beside.seams()))
            .collect()
    }

    fn components(&self) -> Vec<ComponentView> {
        let view = |(name, state): (String, &str)| ComponentView { name, state: state.to_owned() };
        self.system.components().into_iter().map(view).collect()
    }

    fn put<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, Result<(), HouseError>> {
        Box::pin(async move {
            if let Some(beside) = self.beside(seam) {
                beside.put(seam, rule).await
            } else if self.system.put(seam, rule).await {
                Ok(())
            } else {
                Err(HouseError::Unknown(format!("seam `{seam}`")))
            }
        })
    }

    fn take_away<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, ()> {
        match self.beside(seam) {
            Some(beside) => beside.take_away(seam, rule),
            None => Box::pin(self.system.take_away(seam, rule)),
        }
    }

    fn push<'a>(
        &'a self,
        seam: &'a SeamId,
        message: seam_value::Value,
    ) -> BoxFuture<'a, Result<Vec<Result<(), String>>, HouseError>> {
        match self.beside(seam) {
            Some(beside) => beside.push(seam, message),
            None => Box::pin(async move {
                let pushed = self.system.push(seam, message).await;
                pushed.ok_or_else(|| HouseError::Unknown(format!("seam `{seam}`")))
            }),
        }
    }

    fn began(&self) -> Timestamp {
        self.system.began()
    }

    fn masker(&self) -> Masker {
        self.masker.clone()
    }

    fn interactions(&self) -> BoxFuture<'_, Vec<Arc<Interaction>>> {
        Box::pin(async move {
            let mut all = self.system.interactions().await;
            if let Some(beside) = &self.beside {
                all.extend(beside.interactions().await);
            }
            all
        })
    }

    fn act<'a>(&'a self, component: &'a str, verb: &'a str) -> BoxFuture<'a, Result<(), HouseError>> {
        Box::pin(async move {
            if self.system.components().iter().all(|(name, _)| name != component) {
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
            self.system.act(component, act).await.map_err(HouseError::Failed)
        })
    }

    fn names(&self) -> Arc<dyn Names + Send + Sync> {
        self.system.names()
    }
}
