#!/bin/sh
# Run once by the PostgreSQL image, when the database is made: one role that owns the tables, and one that may use them.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set owner="$(cat /run/database/owner)" --set service="$(cat /run/database/service)" <<'SQL'
CREATE ROLE todo_owner LOGIN PASSWORD :'owner';
CREATE ROLE todo LOGIN PASSWORD :'service' CONNECTION LIMIT 50;
CREATE DATABASE todo OWNER todo_owner;
REVOKE ALL ON DATABASE todo FROM PUBLIC;
GRANT CONNECT ON DATABASE todo TO todo;
SQL
