//! A short bad night: see `harness::soak`. The long one is `tests/run --long`.

use harness::soak::Soak;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_store_and_provider_fail_in_turn_and_nobody_is_signed_out() {
    Soak::quick().run().await.must_be_clean();
}
