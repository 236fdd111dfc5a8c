-- One table. Every column has the same meaning on PostgreSQL: ids are canonical UUID text, times are Unix
-- milliseconds, `version` is what the ETag is made from.
CREATE TABLE todo (
    id          TEXT    NOT NULL PRIMARY KEY,   -- UUID v7: sorts in the order of creation
    realm       TEXT    NOT NULL,               -- who vouches for the owner: a tenant id, or an issuer
    subject     TEXT    NOT NULL,               -- the owner, as named inside that realm
    description TEXT    NOT NULL,
    done        INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    version     INTEGER NOT NULL
) STRICT;

-- A person's list, in order, without touching anybody else's rows.
CREATE INDEX todo_by_owner ON todo (realm, subject, id);
-- A tenant's list, for apps that hold an application permission.
CREATE INDEX todo_by_realm ON todo (realm, id);
