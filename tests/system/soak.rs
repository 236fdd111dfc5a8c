//! A short bad night, and a small crowd: see `harness::soak` and `harness::crowd`. The long ones are `tests/run --long`.

use harness::crowd::Crowd;
use harness::soak::Soak;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_store_and_provider_fail_in_turn_and_nobody_is_signed_out() {
    Box::pin(Soak::quick().run()).await.must_be_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_crowd_everybody_gets_what_is_theirs() {
    Crowd::quick().run().await.must_be_clean();
}
