//! That no statement ever reads more than what it is asked for, however many items there are and whoever has them.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Row as _};

use super::*;

/// One person has nearly all items of the tenant, another has few and late ones, and there are other tenants: the
/// mixture in which planners are known to choose badly.
const FILL: &str = "INSERT INTO todo (realm, subject, id, description, done, created, updated, version)
    SELECT CASE WHEN n % 10 = 0 THEN 'other' ELSE 'r' END, CASE WHEN n > 49900 THEN 'bob' ELSE 'alice' END,
           ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'item ' || n, false, n, n, 1
    FROM generate_series(1, 50000) n; ANALYZE todo";

/// All parts of a plan.
fn parts(plan: &Value) -> Vec<&Value> {
    let below = plan["Plans"].as_array().into_iter().flatten();
    std::iter::once(plan).chain(below.flat_map(parts)).collect()
}

#[tokio::test]
async fn every_statement_finds_its_rows_through_an_index_alone() {
    let server = PostgresServer::launch();
    let store = open(&server, "todo").await;
    healed(&store).await;
    server.sql("todo", FILL);
    let (alice, bob) = ("'r', 'alice'", "'r', 'bob'");
    let id = "'01900000-0000-7000-8000-00000000c34f'";
    let nil = "'00000000-0000-0000-0000-000000000000'";
    let cases = [
        (LIST_OWN, format!("{alice}, {nil}, 51"), "todo_by_owner"),
        (LIST_OWN, format!("{alice}, {id}, 51"), "todo_by_owner"),
        (LIST_OWN, format!("{bob}, {nil}, 51"), "todo_by_owner"),
        (LIST_OWN, format!("'r', 'nobody', {nil}, 51"), "todo_by_owner"),
        (LIST_REALM, format!("'r', {nil}, 51"), "todo_by_realm"),
        (LIST_REALM, format!("'other', {id}, 51"), "todo_by_realm"),
        (GET_OWN, format!("{bob}, {id}"), ""),
        (GET_REALM, format!("'r', {id}"), "todo_by_realm"),
        (REPLACE, format!("{bob}, {id}, 'x', true, 2, 2, 1"), ""),
        (REMOVE, format!("{bob}, {id}, 1"), ""),
    ];
    let mut connection = store.pool.acquire().await.expect("a connection");
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let set = format!("SET plan_cache_mode = {mode}");
        sqlx::query(AssertSqlSafe(set)).execute(&mut *connection).await.expect("set");
        for (statement, arguments, index) in &cases {
            let prepare = format!("PREPARE asked AS {statement}");
            sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.expect("prepared");
            let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE asked({arguments})");
            let mut undone = connection.begin().await.expect("begins");
            let row = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *undone).await.expect("explained");
            undone.rollback().await.expect("undone");
            sqlx::raw_sql("DEALLOCATE asked").execute(&mut *connection).await.expect("forgotten");
            let plan: Value = serde_json::from_str(&row.get_unchecked::<String, _>(0)).expect("JSON");
            let plan = &plan[0]["Plan"];
            let used: Vec<&str> = parts(plan).iter().filter_map(|part| part["Node Type"].as_str()).collect();
            assert!(
                used.iter().all(|part| !part.contains("Seq Scan") && !part.contains("Sort")),
                "{mode}: {statement}: {plan:#}"
            );
            let indexes: Vec<&str> =
                parts(plan).iter().filter_map(|part| part["Index Name"].as_str()).collect();
            assert!(
                !indexes.is_empty() && indexes.iter().all(|used| index.is_empty() || used == index),
                "{mode}: {statement}: {plan:#}"
            );
            let pages = plan["Shared Hit Blocks"].as_u64().unwrap_or(0)
                + plan["Shared Read Blocks"].as_u64().unwrap_or(0);
            assert!(pages <= 120, "{mode}: {statement}: {pages} pages: {plan:#}");
            let removed: u64 =
                parts(plan).iter().filter_map(|part| part["Rows Removed by Filter"].as_u64()).sum();
            assert!(removed <= 1, "{mode}: {statement}: {removed} rows read in vain: {plan:#}");
        }
    }
}
