//! [`Pace`]: how long is waited for what, and by which clock.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Waits so long.
pub type Sleep = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// How long is waited for what, and by which clock.
#[derive(Clone)]
pub struct Pace {
    /// After a first failure, at most. It doubles up to a minute.
    pub first_wait: Duration,
    /// For all of a request: a receiver that has not answered by then is asked again.
    pub patience: Duration,
    /// Waits between tries. With another clock it is seen what becomes of a day.
    pub sleep: Sleep,
}

/// For receivers that others use, too.
impl Default for Pace {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            patience: Duration::from_secs(30),
            sleep: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
        }
    }
}
