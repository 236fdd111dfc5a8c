-- One table, with the same meaning as on SQLite: times are Unix milliseconds, `version` is what the ETag is made from.
--
-- There is no index on `id` alone, on purpose: the planner, seeing ORDER BY id LIMIT n, would sooner or later walk all
-- items of everybody in that order and throw away what is not asked for. Both indexes begin with whose items they are.
CREATE TABLE todo (
    realm       text COLLATE "C" NOT NULL,   -- who vouches for the owner: a tenant id, or an issuer
    subject     text COLLATE "C" NOT NULL,   -- the owner, as named inside that realm
    id          uuid             NOT NULL,   -- UUID v7: sorts in the order of creation
    description text             NOT NULL,
    done        boolean          NOT NULL,
    created     bigint           NOT NULL,
    updated     bigint           NOT NULL,
    version     bigint           NOT NULL,
    -- A person's list, in order, without touching anybody else's rows.
    CONSTRAINT todo_by_owner PRIMARY KEY (realm, subject, id)
) WITH (fillfactor = 90); -- room for a changed row beside the old one: no index needs to be touched

-- A tenant's list, for apps that hold an application permission.
CREATE UNIQUE INDEX todo_by_realm ON todo (realm, id);
