//! Answering with a status as soon as it contains something new.

use super::call::Call;
use super::error::ApiError;
use crate::{ClientError, OrchestrationMetadata, StatusToken};

/// What the caller knows: its position in one life, or the number of changes that it has seen.
enum Known {
    Token(StatusToken),
    Version(u64),
}

impl Known {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let version = text.parse().ok().map(Self::Version);
        version.or_else(|| text.parse().ok().map(Self::Token)).ok_or_else(|| {
            ApiError::bad_argument("`waitForCustomStatusChange` is neither a version nor a token of the custom status")
        })
    }

    /// Returns whether there is something that the caller has not seen. This checks whether the status differs, not
    /// whether it is newer, because the versions start again after a restart.
    fn differs(&self, metadata: &OrchestrationMetadata) -> bool {
        match self {
            Self::Token(token) => *token != metadata.custom_status_token(),
            Self::Version(version) => *version != metadata.custom_status_version(),
        }
    }
}

/// Returns the instance as soon as its custom status differs from what is known or the instance has ended. When the
/// time is over or the server closes, returns its current state.
pub(super) async fn changed(call: &Call<'_>, id: &str, known: &str) -> Result<OrchestrationMetadata, ApiError> {
    let known = Known::parse(known)?;
    let mut watch = call.client().watch_instance(call.id(id)?);
    let mut last = None;
    let news = async {
        while let Some(head) = watch.next().await {
            let head = head?;
            if head.is_ended() || known.differs(&head) {
                return Ok::<_, ClientError>(Some(head));
            }
            last = Some(head);
        }
        Ok(None)
    };
    let time = call.wait.as_ref().map_or_else(Default::default, |wait| wait.time);
    let answer = tokio::select! {
        answer = tokio::time::timeout(time, news) => answer.unwrap_or(Ok(None))?,
        () = call.service.closed() => None,
    };
    match answer.or(last) {
        Some(metadata) => Ok(metadata),
        None => call.read(id).await,
    }
}
