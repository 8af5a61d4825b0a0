//! Lists of instances, one page at a time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::error::ClientError;
use super::metadata::OrchestrationMetadata;
use super::port::{BoxFuture, ClientPort};
use crate::store::{InstanceFilter, InstanceQuery, PAGE_BYTES, PageCursor};

/// The default number of instances on a page.
const PAGE_SIZE: usize = 100;
/// The largest number of instances on a page.
pub(super) const MAX_PAGE_SIZE: usize = 1_000;
/// The largest number of reads for one page. Each read looks at a bounded number of rows.
const READS_PER_PAGE: usize = 100;

/// One page of the instances that match a filter, which is read when this value is awaited.
/// [`Client::list`](crate::Client::list) creates it.
///
/// The instances are in the order of their creation or, with
/// [`instance_id_prefix`](InstanceFilter::instance_id_prefix), in the order of their ids. An instance that exists
/// throughout appears on exactly one page, whatever is created or removed in the meantime. Each page shows what is
/// committed when the page is read. The pages together are not a snapshot of one moment.
///
/// Reading a page looks at every row up to the end of the page (with a prefix, only at rows with that prefix). It never
/// reads a history. The future can be spawned, and dropped at any time.
///
/// # Errors
/// [`ClientError::InvalidFilter`], [`ClientError::Corrupt`] (a row is damaged; a list never leaves it out silently),
/// [`ClientError::StoreUnavailable`], [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
///
/// # Examples
/// ```no_run
/// # async fn example(client: persevere::Client) -> Result<(), persevere::ClientError> {
/// use persevere::{InstanceFilter, RuntimeStatus};
///
/// let running = InstanceFilter::new().name("ship").runtime_status([RuntimeStatus::Running]);
/// let mut place = None;
/// loop {
///     let page = client.list(running.clone()).page_size(500).after(place).await?;
///     for order in &page.instances {
///         println!("{} {:?}", order.instance_id(), order.serialized_custom_status());
///     }
///     place = page.next;
///     if place.is_none() {
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a list is only read when it is awaited"]
pub struct ListInstances {
    port: Arc<dyn ClientPort>,
    query: InstanceQuery,
    reading: Option<BoxFuture<Result<InstanceList, ClientError>>>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InstanceList {
    /// The instances in their order. There may be fewer than the page size, or none, although the list continues: the
    /// store does not search to its end for a filter that few instances match, and a page ends when it contains 16 MiB
    /// of inputs, statuses and outputs.
    pub instances: Vec<OrchestrationMetadata>,
    /// The place where the next page begins, or `None` at the end of the list.
    pub next: Option<PageCursor>,
}

impl ListInstances {
    pub(super) fn new(port: Arc<dyn ClientPort>, filter: InstanceFilter) -> Self {
        let query = InstanceQuery { filter, newest_first: false, after: None, limit: PAGE_SIZE };
        Self { port, query, reading: None }
    }

    /// Sets the largest number of instances on the page, from 1 to 1,000. The default is 100.
    pub fn page_size(mut self, instances: usize) -> Self {
        self.query.limit = instances.clamp(1, MAX_PAGE_SIZE);
        self
    }

    /// Reverses the order: the newest instance comes first (or, with a prefix of the id, the last id).
    pub fn newest_first(mut self) -> Self {
        self.query.newest_first = true;
        self
    }

    /// Continues after a page with the same filter and order.
    pub fn after(mut self, place: impl Into<Option<PageCursor>>) -> Self {
        self.query.after = place.into();
        self
    }
}

impl Future for ListInstances {
    type Output = Result<InstanceList, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let reading =
            this.reading.get_or_insert_with(|| Box::pin(read(Arc::clone(&this.port), std::mem::take(&mut this.query))));
        reading.as_mut().poll(cx)
    }
}

impl fmt::Debug for ListInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListInstances").field("query", &self.query).finish_non_exhaustive()
    }
}

async fn read(port: Arc<dyn ClientPort>, mut query: InstanceQuery) -> Result<InstanceList, ClientError> {
    check(&query.filter)?;
    if query.after.as_ref().is_some_and(|place| !query.fits(place)) {
        let detail =
            "the place belongs to a list in another order: use the same filter and order as for the previous page"
                .to_owned();
        return Err(ClientError::InvalidFilter { detail });
    }
    let (mut instances, mut bytes) = (Vec::new(), 0);
    let wanted = query.limit;
    for _ in 0..READS_PER_PAGE {
        query.limit = wanted - instances.len();
        let page = port.query(query.clone()).await.map_err(|error| ClientError::from_submit(error, None))?;
        bytes += page.instances.iter().map(|stored| stored.head.payload_len()).sum::<usize>();
        instances.extend(page.instances.into_iter().map(OrchestrationMetadata::from_stored));
        query.after = page.next;
        if query.after.is_none() || instances.len() >= wanted || bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(InstanceList { instances, next: query.after })
}

/// Checks the filter. A JSON pointer is empty or begins with a slash (RFC 6901, section 3).
pub(super) fn check(filter: &InstanceFilter) -> Result<(), ClientError> {
    let wrong = |condition: &&crate::store::StatusCondition| {
        !condition.pointer.is_empty() && !condition.pointer.starts_with('/')
    };
    match filter.custom_status.iter().find(wrong) {
        Some(condition) => Err(ClientError::InvalidFilter {
            detail: format!(
                "`{}` is not a JSON pointer: begin with `/`, as in `/{}`",
                condition.pointer,
                condition.pointer.trim_start_matches(['$', '.'])
            ),
        }),
        None => Ok(()),
    }
}
