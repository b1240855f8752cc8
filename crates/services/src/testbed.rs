//! What the tests of services stand on: a watcher, places of their own, and the end of both.

use crate::places::Places;
use crate::service::RaiseCx;
use seam_launch::{Watcher, WatcherCommand, WatcherOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// A run of one test.
pub(crate) struct Bed {
    pub(crate) cx: RaiseCx,
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    _cache: Option<TempDir>,
}

impl Bed {
    /// With the cache that all tests share.
    pub(crate) async fn new() -> Self {
        let cache =
            std::env::temp_dir().join(format!("seam-services-tests-{}", rustix::process::getuid().as_raw()));
        std::fs::create_dir_all(&cache).unwrap();
        Self::over(&cache, None).await
    }

    /// With a cache of its own.
    pub(crate) async fn fresh() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().to_owned();
        Self::over(&path, Some(cache)).await
    }

    pub(crate) async fn over(cache: &Path, owned: Option<TempDir>) -> Self {
        static NTH: AtomicU32 = AtomicU32::new(0);
        // Where we are root the service user must come through.
        std::fs::set_permissions(cache, std::fs::Permissions::from_mode(0o755)).unwrap();
        let run = format!("t{}-{}", std::process::id(), NTH.fetch_add(1, Ordering::Relaxed));
        let options = WatcherOptions {
            run: run.as_str().into(),
            command: WatcherCommand::this_test("testbed::watch_entry"),
            registry: cache.join("runs"),
            logs: None,
        };
        let watcher = Watcher::start(options).await.unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&said);
        let cx = RaiseCx {
            component: "pg".into(),
            run: run.as_str().into(),
            watcher,
            places: Places::at(cache),
            fetch: false,
            lines: None,
            deadline: Instant::now() + Duration::from_mins(1),
            progress: Arc::new(move |text| told.lock().unwrap().push(text)),
        };
        Self { cx, said, _cache: owned }
    }

    /// Ends the run and looks that nothing of it is left.
    pub(crate) async fn end(self) {
        let over = self.cx.watcher.finish().await.unwrap();
        assert!(over.left.is_empty() && over.folders.is_empty(), "{over:?}");
        let places = &self.cx.places;
        for folder in [&places.live, &places.sockets].into_iter().chain(&places.memory) {
            assert!(!folder.join(self.cx.run.as_str()).exists());
        }
    }
}

#[test]
#[ignore = "the watcher of the other tests"]
fn watch_entry() {
    seam_launch::watch();
}
