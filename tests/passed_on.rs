//! What every store around another one has in common: the methods that only pass their call on.

/// Implements these methods of `Store` for a wrapper, by calling the store in its field `inner`.
macro_rules! passed_on {
    ($($method:ident)+) => { $($crate::passed_on::passed_on!(@ $method);)+ };
    (@ partitions) => {
        fn partitions(&self) -> persevere::model::PartitionCount {
            self.inner.partitions()
        }
    };
    (@ claim) => {
        fn claim(
            &self,
            partition: persevere::model::PartitionId,
        ) -> persevere::store::StoreFuture<Result<persevere::store::Claim, persevere::store::OpenError>> {
            self.inner.claim(partition)
        }
    };
    (@ load) => {
        fn load(
            &self,
            partition: persevere::model::PartitionId,
        ) -> persevere::store::StoreFuture<Result<persevere::store::Backlog, persevere::store::LoadError>> {
            self.inner.load(partition)
        }
    };
    (@ inbox) => {
        fn inbox(
            &self,
            partition: persevere::model::PartitionId,
            known: std::sync::Arc<[persevere::model::InboxId]>,
        ) -> persevere::store::StoreFuture<Result<Vec<persevere::model::InboxRow>, persevere::store::LoadError>> {
            self.inner.inbox(partition, known)
        }
    };
    (@ query) => {
        fn query(
            &self,
            query: persevere::store::InstanceQuery,
        ) -> persevere::store::StoreFuture<Result<persevere::store::InstancePage, persevere::store::LoadError>> {
            self.inner.query(query)
        }
    };
    (@ close) => {
        fn close(
            &self,
            partition: persevere::model::PartitionId,
        ) -> persevere::store::StoreFuture<Result<(), persevere::store::CommitError>> {
            self.inner.close(partition)
        }
    };
}
pub(crate) use passed_on;
