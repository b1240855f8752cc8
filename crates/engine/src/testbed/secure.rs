//! TLS towards components that listen with it, and what describes their messages.

use crate::plan::secure::PlannedTls;
use crate::plan::system::PlannedComponent;
use crate::testbed::Testbed;
use crate::testbed::state::chain;
use crate::testbed::told::about;
use seam_diag::Diagnostic;
use seam_event::SeamId;
use seam_expr::ReferenceText;
use seam_launch::parse_external;
use seam_proxy::{Encryption, ProviderTls, ProviderTlsSpec, Trust, Tunnel};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

impl Testbed {
    /// Lets the seams to a component read its messages by their names, whoever answers for it.
    pub(super) fn describe_as_declared(&self, name: &str, planned: &PlannedComponent) {
        if let Some(descriptors) = &planned.descriptors {
            self.proxy.describe(|seam: &SeamId| seam.provider.as_str() == name, descriptors);
        }
    }

    /// Lets the seams to a component speak TLS to it, where it listens with that.
    pub(super) fn speak_as_declared(&self, name: &str, planned: &PlannedComponent) -> Result<(), Diagnostic> {
        let is_its = |seam: &SeamId| seam.provider.as_str() == name;
        let Some(tls) = &planned.tls else { return Ok(()) };
        let told = |error: &dyn std::error::Error| {
            about(
                format!("`{name}` can't be spoken to over TLS: {}", chain(error)),
                tls.span.unwrap_or(planned.declared.name.span),
            )
        };
        let provider = self.provider_tls(name, planned, tls)?;
        let presented = self.pair(name, tls.presented.as_ref())?;
        let presented = presented
            .map(|(certificate, key)| Encryption::read(&certificate, &key))
            .transpose()
            .map_err(|error| told(&error))?
            .map(Arc::new);
        let applies = |seam: &SeamId| is_its(seam) && tls.is_of(seam.endpoint.as_str());
        self.proxy.speak_tls(applies, &provider, presented.as_ref());
        Ok(())
    }

    fn provider_tls(
        &self,
        name: &str,
        planned: &PlannedComponent,
        tls: &PlannedTls,
    ) -> Result<Arc<ProviderTls>, Diagnostic> {
        let span = tls.span.unwrap_or(planned.declared.name.span);
        let ca = tls.ca.as_ref().map(|ca| self.file(name, ca)).transpose()?;
        // Somebody else's is what it is: far away it has to be who it says it is.
        let address = planned.external_address().map(|text| self.wiring().render(name, text));
        let address = address.and_then(Result::ok).and_then(|text| parse_external(&text).ok());
        let far = address.filter(|address| !address.is_loopback());
        let authorities = match ca {
            Some(file) => Some(Trust::File(file)),
            None => far.as_ref().map(|_| Trust::Machine),
        };
        let usual = || match &far {
            Some(address) => vec![address.host.clone()],
            None => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), name.to_owned()],
        };
        let names = tls.name.clone().map_or_else(usual, |name| vec![name]);
        let spec = ProviderTlsSpec { authorities, names, shown: self.pair(name, tls.client.as_ref())? };
        ProviderTls::new(&spec)
            .map(Arc::new)
            .map_err(|error| about(format!("`{name}` can't be spoken to over TLS: {}", chain(&error)), span))
    }

    /// Where a component is asked for what is no part of a test: itself, or a way to it over TLS that is open as long as
    /// what this gives.
    pub(super) async fn own_door(
        &self,
        name: &str,
        planned: &PlannedComponent,
    ) -> Result<Option<(SocketAddr, Option<Tunnel>)>, Diagnostic> {
        let Some(address) = self.wiring().listens(name, "") else { return Ok(None) };
        let Some(tls) = planned.tls.as_ref().filter(|tls| tls.is_of("")) else {
            return Ok(Some((address, None)));
        };
        let provider = self.provider_tls(name, planned, tls)?;
        let tunnel = Tunnel::open(address, &provider)
            .await
            .map_err(|error| about(chain(&error), planned.declared.name.span))?;
        Ok(Some((tunnel.address(), Some(tunnel))))
    }

    fn pair(
        &self,
        name: &str,
        pair: Option<&(ReferenceText, ReferenceText)>,
    ) -> Result<Option<(PathBuf, PathBuf)>, Diagnostic> {
        let files = pair.map(|(certificate, key)| Ok((self.file(name, certificate)?, self.file(name, key)?)));
        files.transpose()
    }

    fn file(&self, name: &str, text: &ReferenceText) -> Result<PathBuf, Diagnostic> {
        let rendered = self.wiring().render(name, text);
        rendered.map(|file| self.root().join(file)).map_err(|error| about(error.to_string(), error.span))
    }
}
