//! Sends any bytes as a request to the HTTP API. It must not panic or fail internally, its errors must be JSON, and
//! nothing may work without a key. `tests/http_edges/requests.rs` contains the checks and the format of a request.
#![no_main]

#[path = "../../tests/http_edges/requests.rs"]
mod requests;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use requests::Target;

/// After this many requests, the instances that they started are discarded.
const REQUESTS: u32 = 5_000;

struct Service {
    tokio: tokio::runtime::Runtime,
    target: Target,
    left: u32,
}

impl Service {
    fn new() -> Self {
        let tokio = tokio::runtime::Runtime::new().expect("a runtime");
        let target = tokio.block_on(Target::new());
        Self { tokio, target, left: REQUESTS }
    }
}

thread_local! {
    static SERVICE: RefCell<Option<Service>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    let Some(request) = requests::parse(data) else { return };
    SERVICE.with_borrow_mut(|service| {
        if let Some(old) = service.take_if(|service| service.left == 0) {
            old.tokio.block_on(old.target.close());
        }
        let service = service.get_or_insert_with(Service::new);
        service.left -= 1;
        service.tokio.block_on(service.target.check(&request));
    });
});
