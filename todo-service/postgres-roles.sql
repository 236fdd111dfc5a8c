-- The two roles and the database of the to-do service, with no right that is not needed. Run it once as a superuser:
--
--   psql -v owner_password="$(cat owner-password)" -v app_password="$(cat app-password)" -f postgres-roles.sql
--
-- todo_owner owns the tables and migrates them (`todo-service migrate`, or at the start where the file names
-- [postgres.owner]); todo_app is whom the service runs as. Migrating gives todo_app SELECT, INSERT, UPDATE and DELETE on
-- the items and SELECT on the list of migrations: it can neither change nor drop a table.
\set ON_ERROR_STOP on

CREATE ROLE todo_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE todo_app LOGIN PASSWORD :'app_password';
CREATE DATABASE todo OWNER todo_owner;
REVOKE ALL ON DATABASE todo FROM PUBLIC;
GRANT CONNECT ON DATABASE todo TO todo_app;

\connect todo
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO todo_app;
