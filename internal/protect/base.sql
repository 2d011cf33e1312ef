-- The roles. paravent_owner owns what follows and can't log in; paravent_gate is
-- the gateway's own connection; paravent_reader are the employees' sessions.
-- Neither of the two gets a password here. In pg_hba.conf, above every other line:
--   hostssl <database> paravent_reader <address of the gateway> cert map=…
--   hostssl <database> paravent_gate   <address of the gateway> cert map=…
--   host    all        paravent_reader all                      reject
--   host    all        paravent_gate   all                      reject
DO $paravent$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'paravent_owner') THEN CREATE ROLE paravent_owner NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'paravent_gate') THEN CREATE ROLE paravent_gate LOGIN NOINHERIT; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'paravent_reader') THEN CREATE ROLE paravent_reader LOGIN NOINHERIT; END IF;
END $paravent$;
-- To see when a session of somebody else began, and of which system this is one.
GRANT pg_read_all_stats TO paravent_owner;
GRANT EXECUTE ON FUNCTION pg_stat_get_activity(integer), pg_control_system() TO paravent_owner;
GRANT USAGE ON LANGUAGE plpgsql TO paravent_owner;

CREATE SCHEMA IF NOT EXISTS paravent AUTHORIZATION paravent_owner;
GRANT USAGE ON SCHEMA paravent TO paravent_reader, paravent_gate;
SET LOCAL ROLE paravent_owner;

-- What stood before, for --check and --remove, and for you to read.
CREATE TABLE IF NOT EXISTS paravent.saved_acl (kind text, object text, owner text NOT NULL, acl text[], PRIMARY KEY (kind, object));
CREATE TABLE IF NOT EXISTS paravent.kept (role text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS paravent.applied (source text, object text, state text NOT NULL, PRIMARY KEY (source, object));

-- A number for each session; see paravent.hello. The reader may ask which one is
-- his (currval), not draw or set one.
CREATE SEQUENCE IF NOT EXISTS paravent.sessions;
GRANT SELECT ON SEQUENCE paravent.sessions TO paravent_reader;

-- The grants of the live sessions. Not logged: a crash empties it.
CREATE UNLOGGED TABLE IF NOT EXISTS paravent.bound (
  pid integer PRIMARY KEY, backend_start timestamptz NOT NULL, session bigint UNIQUE,
  grant_id text, purpose text, customer text, customer_int bigint, customer_uuid uuid, categories text[] NOT NULL DEFAULT '{}',
  reach text CHECK (reach IN ('record', 'recent', 'all')), "order" text, order_int bigint, order_uuid uuid,
  recent_from timestamptz, sensitive text[] NOT NULL DEFAULT '{}', changes text[] NOT NULL DEFAULT '{}',
  expires timestamptz NOT NULL DEFAULT '-infinity',
  plain boolean NOT NULL GENERATED ALWAYS AS (coalesce(reach = 'all' AND "order" IS NULL AND sensitive = '{}', false)) STORED, -- nothing is narrowed
  CHECK (reach <> 'recent' OR recent_from IS NOT NULL)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);

-- The keys of tokens and of pseudonyms, made here and never printed, and what
-- HMAC makes of them.
CREATE TABLE IF NOT EXISTS paravent.secret (
  id boolean PRIMARY KEY DEFAULT true CHECK (id), token bytea NOT NULL,
  token_inner bytea NOT NULL, token_outer bytea NOT NULL, pseudonym_inner bytea NOT NULL, pseudonym_outer bytea NOT NULL);
CREATE OR REPLACE FUNCTION paravent.pad(key bytea, with_byte integer) RETURNS bytea LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $paravent$
DECLARE padded bytea := key || decode(repeat('00', 64 - length(key)), 'hex');
BEGIN
  FOR i IN 0..63 LOOP padded := set_byte(padded, i, get_byte(padded, i) # with_byte); END LOOP;
  RETURN padded;
END $paravent$;
INSERT INTO paravent.secret (token, token_inner, token_outer, pseudonym_inner, pseudonym_outer)
  SELECT t, paravent.pad(t, 54), paravent.pad(t, 92), paravent.pad(p, 54), paravent.pad(p, 92)
  FROM (SELECT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid() || gen_random_uuid(), 'UTF8')) AS t,
               sha256(convert_to(gen_random_uuid()::text || gen_random_uuid() || gen_random_uuid(), 'UTF8')) AS p OFFSET 0) AS k
  WHERE NOT EXISTS (SELECT FROM paravent.secret);

-- An id as a number, a uuid, a text as a moment; NULL where it isn't exactly one.
CREATE OR REPLACE FUNCTION paravent.whole(value text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $paravent$
BEGIN
  IF value::bigint::text = value THEN RETURN value::bigint; END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $paravent$;
CREATE OR REPLACE FUNCTION paravent.uuid(value text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $paravent$
BEGIN
  IF value::uuid::text = value THEN RETURN value::uuid; END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $paravent$;
CREATE OR REPLACE FUNCTION paravent.moment(value text) RETURNS timestamptz LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $paravent$
BEGIN
  IF value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]|$)' THEN RETURN value::timestamptz; END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $paravent$;
CREATE OR REPLACE FUNCTION paravent.moment(value bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS
  $paravent$ SELECT CASE WHEN value BETWEEN -62135596800 AND 253402300799 THEN to_timestamp(value) END $paravent$;

-- The gateway runs this first in each session of an employee, and again after
-- DISCARD ALL. It gives the session its number; a grant stays only where it was
-- bound to this very backend. On a standby it only says which backend this is.
CREATE OR REPLACE FUNCTION paravent.hello() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $paravent$
DECLARE
  mine integer := pg_backend_pid();
  began timestamptz := (SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) AS a);
  drawn bigint;
BEGIN
  IF pg_is_in_recovery() THEN
    RETURN format('%s/%s/%s', mine, (extract(epoch FROM began) * 1000000)::bigint, (SELECT c.system_identifier FROM pg_control_system() AS c));
  END IF;
  drawn := nextval('paravent.sessions');
  DELETE FROM paravent.bound AS b WHERE b.pid = mine AND b.backend_start IS DISTINCT FROM began;
  INSERT INTO paravent.bound AS b (pid, backend_start, session) VALUES (mine, began, drawn)
    ON CONFLICT (pid) DO UPDATE SET session = excluded.session;
  RETURN format('%s/%s/%s', mine, (extract(epoch FROM began) * 1000000)::bigint, drawn);
END $paravent$;

-- The gateway binds a grant to a live session of the reader.
CREATE OR REPLACE FUNCTION paravent.bind(of_pid integer, id text, purpose text, customer text, categories text[], reach text, "order" text,
  recent_from timestamptz, sensitive text[], changes text[], expires timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $paravent$
DECLARE
  began timestamptz := (SELECT a.backend_start FROM pg_stat_get_activity($1) AS a JOIN pg_roles AS r ON r.oid = a.usesysid JOIN pg_database AS d ON d.oid = a.datid WHERE r.rolname = 'paravent_reader' AND d.datname = current_database());
BEGIN
  IF began IS NULL THEN RAISE EXCEPTION 'no session of paravent_reader has this process id' USING ERRCODE = '08003'; END IF;
  IF coalesce($4, '') = '' OR $5 IS NULL OR $6 IS NULL OR $9 IS NULL OR $10 IS NULL OR $11 IS NULL THEN RAISE EXCEPTION 'the grant is not whole' USING ERRCODE = '22004'; END IF;
  DELETE FROM paravent.bound AS b WHERE b.pid = $1 AND b.backend_start IS DISTINCT FROM began;
  INSERT INTO paravent.bound AS b (pid, backend_start, grant_id, purpose, customer, customer_int, customer_uuid, categories, reach, "order", order_int, order_uuid, recent_from, sensitive, changes, expires)
    VALUES ($1, began, $2, $3, $4, paravent.whole($4), paravent.uuid($4), $5, $6, $7, paravent.whole($7), paravent.uuid($7), $8, $9, $10, $11)
    ON CONFLICT (pid) DO UPDATE SET (grant_id, purpose, customer, customer_int, customer_uuid, categories, reach, "order", order_int, order_uuid, recent_from, sensitive, changes, expires) =
      (excluded.grant_id, excluded.purpose, excluded.customer, excluded.customer_int, excluded.customer_uuid, excluded.categories, excluded.reach, excluded."order",
       excluded.order_int, excluded.order_uuid, excluded.recent_from, excluded.sensitive, excluded.changes, excluded.expires);
END $paravent$;

-- The gateway takes a session's grant away, with those of sessions long gone.
CREATE OR REPLACE FUNCTION paravent.release(of_pid integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $paravent$
BEGIN
  DELETE FROM paravent.bound AS b WHERE b.pid = $1;
  DELETE FROM paravent.bound AS b WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(NULL) AS a WHERE a.pid = b.pid AND a.backend_start = b.backend_start);
END $paravent$;

-- The key with which the gateway makes tokens for standbys.
CREATE OR REPLACE FUNCTION paravent.token_key() RETURNS bytea LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
  $paravent$ SELECT s.token FROM paravent.secret AS s $paravent$;

-- On a standby: the grant of the token that the gateway set for this statement,
-- or nothing. The two MACs are compared as hashes of themselves, so that the time
-- it takes tells nothing; expiry goes by the clock, not by the transaction.
CREATE OR REPLACE FUNCTION paravent.from_token() RETURNS SETOF paravent.bound LANGUAGE plpgsql SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $paravent$
DECLARE
  token text := current_setting('paravent.token', true);
  said text := substr(token, 66);
  keys paravent.secret;
  mac bytea;
  j jsonb;
BEGIN
  IF token IS NULL OR length(token) > 65536 OR token !~ '^[0-9a-f]{64}\.\{' THEN RETURN; END IF;
  SELECT * INTO keys FROM paravent.secret;
  mac := sha256(keys.token_outer || sha256(keys.token_inner || convert_to(said, 'UTF8')));
  IF sha256(keys.token_outer || mac) <> sha256(keys.token_outer || decode(left(token, 64), 'hex')) THEN RETURN; END IF;
  j := said::jsonb;
  IF (j->>'pid')::integer <> pg_backend_pid()
    OR (j->>'start')::bigint <> (SELECT (extract(epoch FROM a.backend_start) * 1000000)::bigint FROM pg_stat_get_activity(pg_backend_pid()) AS a)
    OR j->>'system' <> (SELECT c.system_identifier::text FROM pg_control_system() AS c)
    OR to_timestamp((j->>'expires')::bigint / 1000000.0) NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '61 s' THEN RETURN; END IF;
  RETURN QUERY SELECT pg_backend_pid(), NULL::timestamptz, NULL::bigint, j->>'grant', j->>'purpose', j->>'customer', paravent.whole(j->>'customer'), paravent.uuid(j->>'customer'),
    ARRAY(SELECT jsonb_array_elements_text(j->'categories')), j->>'reach', j->>'order', paravent.whole(j->>'order'), paravent.uuid(j->>'order'),
    to_timestamp((j->>'recent_from')::bigint / 1000000.0), ARRAY(SELECT jsonb_array_elements_text(j->'sensitive')), '{}'::text[], to_timestamp((j->>'expires')::bigint / 1000000.0), false;
END $paravent$;
RESET ROLE;
