//! Who dials what: every consumer has an address of its own for each endpoint, and every process its ports.

use crate::plan::system::{Made, SystemPlan, seam};
use seam_event::SeamId;
use seam_expr::{Reference, ReferenceText, Target};
use seam_launch::{ExternalAddress, HeldPort, parse_external};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// All addresses of a testbed.
pub(crate) struct Wiring {
    plan: Arc<SystemPlan>,
    /// Where each seam's consumer dials.
    seams: HashMap<SeamId, SocketAddr>,
    /// Where processes listen, behind their seams: by component and endpoint.
    ports: Mutex<HashMap<(String, String), HeldPort>>,
    /// Folders of the components' own are made below it.
    folder: PathBuf,
}

/// A reference that gives nothing.
#[derive(Debug, thiserror::Error)]
#[error("this reference gives nothing")]
pub(crate) struct Unresolved {
    pub(crate) span: seam_diag::Span,
}

impl Wiring {
    pub(crate) fn new(plan: &Arc<SystemPlan>, folder: &Path) -> Self {
        let ports = Mutex::default();
        Self { plan: Arc::clone(plan), seams: HashMap::new(), ports, folder: folder.to_owned() }
    }

    /// Where the consumer of a seam dials from now on.
    pub(crate) fn stands(&mut self, seam: SeamId, address: SocketAddr) {
        self.seams.insert(seam, address);
    }

    /// Where the consumer of a seam dials.
    pub(crate) fn dials(&self, seam: &SeamId) -> Option<SocketAddr> {
        self.seams.get(seam).copied()
    }

    /// Where a seam, a process's own port or the public address is reached at this `host:port`: component and
    /// endpoint.
    pub(crate) fn owner(&self, address: SocketAddr) -> Option<(String, String)> {
        let seams = self.seams.iter().find(|(_, dials)| **dials == address);
        if let Some((seam, _)) = seams {
            return Some((seam.provider.to_string(), seam.endpoint.to_string()));
        }
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.iter().find(|(_, port)| port.address() == address).map(|(key, _)| key.clone())
    }

    /// Where a process listens; none for an endpoint that has no port.
    pub(crate) fn listens(&self, component: &str, endpoint: &str) -> Option<SocketAddr> {
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.get(&(component.to_owned(), endpoint.to_owned())).map(HeldPort::address)
    }

    /// Holds fresh ports for all endpoints that a component binds; it has no others from now on.
    pub(crate) fn hold_ports(&self, component: &str) -> Result<(), seam_launch::PortError> {
        let Some(planned) = self.plan.components.get(component) else { return Ok(()) };
        for endpoint in &planned.endpoints {
            if planned.binds(&endpoint.name) {
                let port = seam_launch::hold_port()?;
                let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
                ports.insert((component.to_owned(), endpoint.name.clone()), port);
            }
        }
        Ok(())
    }

    /// Lets go of the ports that a component holds: one that binds without `SO_REUSEADDR` needs that.
    pub(crate) fn release_ports(&self, component: &str) {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, port) in ports.iter_mut().filter(|((owner, _), _)| owner == component) {
            port.release();
        }
    }

    /// The folder of a component's own.
    pub(crate) fn dir(&self, component: &str) -> PathBuf {
        self.folder.join(component)
    }

    /// A text as one component reads it.
    pub(crate) fn render(&self, owner: &str, text: &ReferenceText) -> Result<String, Unresolved> {
        text.resolve(|reference| self.look_up(owner, reference))
            .map_err(|reference| Unresolved { span: reference.span })
    }

    fn look_up(&self, owner: &str, reference: &Reference) -> Option<String> {
        match &reference.target {
            Target::Env(name) => self.plan.environment.get(name),
            Target::Secret(name) => self.plan.secrets.get(name).cloned(),
            Target::Own { endpoint, property } => {
                self.of_itself(owner, endpoint.as_deref().unwrap_or(""), property)
            }
            Target::Component { component, endpoint, property } => {
                let endpoint = endpoint.as_deref().unwrap_or("");
                if component == owner {
                    self.of_itself(owner, endpoint, property)
                } else {
                    self.property(owner, component, endpoint, property)
                }
            }
        }
    }

    fn of_itself(&self, owner: &str, endpoint: &str, property: &str) -> Option<String> {
        match property {
            "dir" => Some(self.dir(owner).display().to_string()),
            "public" => self.property("test", owner, endpoint, "url"),
            _ => self.at(owner, endpoint, property, self.listens(owner, endpoint)?),
        }
    }

    /// A property of an endpoint as one consumer sees it.
    pub(crate) fn property(
        &self,
        consumer: &str,
        component: &str,
        endpoint: &str,
        property: &str,
    ) -> Option<String> {
        match property {
            "dir" => Some(self.dir(component).display().to_string()),
            "public" => self.property("test", component, endpoint, "url"),
            _ => {
                let address = self.dials(&seam(consumer, component, endpoint))?;
                self.at(component, endpoint, property, address)
            }
        }
    }

    /// The path that an external's own address ends with, without a slash at its end.
    pub(crate) fn base(&self, component: &str) -> String {
        self.external(component).map(|address| address.base).unwrap_or_default()
    }

    /// An external's own address, where it is one.
    fn external(&self, component: &str) -> Option<ExternalAddress> {
        let address = self.plan.components.get(component)?.external_address()?;
        parse_external(&self.render(component, address).ok()?).ok()
    }

    /// A property of an endpoint that is dialled at an address.
    fn at(&self, component: &str, endpoint: &str, property: &str, address: SocketAddr) -> Option<String> {
        let planned = self.plan.components.get(component)?;
        match &planned.made {
            Made::Service(service) => service.property(endpoint, property, address),
            Made::Runtime(..) => match property {
                "address" => Some(address.to_string()),
                "host" => Some(address.ip().to_string()),
                "port" => Some(address.port().to_string()),
                "url" => {
                    let protocol = self.plan.protocol_of(component, endpoint)?;
                    let has_tls = planned.tls.as_ref().is_some_and(|tls| tls.is_of(endpoint));
                    let scheme = if has_tls { protocol.tls_scheme() } else { protocol.scheme() };
                    let external = self.external(component);
                    // As whom a database or a broker is entered belongs to its address; in HTTP that is said otherwise.
                    let user = external.as_ref().filter(|external| !external.speaks_http());
                    let user = user.map(|external| external.user_info.as_str()).unwrap_or_default();
                    let at = if user.is_empty() { "" } else { "@" };
                    let base = external.as_ref().map(|external| external.base.as_str()).unwrap_or_default();
                    Some(format!("{scheme}://{user}{at}{address}{base}"))
                }
                _ => None,
            },
        }
    }
}
