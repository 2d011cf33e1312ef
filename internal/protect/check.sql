-- What the employees' role may do besides, by whatever way it got there, and what
-- else stands wrong: object, what is wrong. $1: the source's view schema, $2: the
-- open tables, $3: the protected tables.
WITH paravent_state AS (STATE)
, low AS (SELECT oid, rolname FROM pg_roles WHERE rolname IN ('paravent_reader', 'paravent_gate'))
SELECT c.oid::regclass::text, low.rolname || ' may ' || CASE WHEN has_table_privilege(low.oid, c.oid, 'SELECT') OR has_any_column_privilege(low.oid, c.oid, 'SELECT') THEN 'read' ELSE 'write' END || ' it'
  FROM low, pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname !~ '^paravent_'
    AND NOT (c.oid = ANY ($2::oid[]) AND NOT has_table_privilege(low.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))
    AND (has_table_privilege(low.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(low.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
UNION ALL
SELECT p.oid::regprocedure::text, low.rolname || ' may call it'
  FROM low, pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> 'paravent' AND (p.prosecdef OR p.provolatile = 'v') AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
    AND has_function_privilege(low.oid, p.oid, 'EXECUTE') AND has_schema_privilege(low.oid, n.oid, 'USAGE')
UNION ALL
SELECT rolname, 'is a superuser, makes roles or databases, replicates, or passes by row-level security' FROM pg_roles
  WHERE rolname IN ('paravent_reader', 'paravent_gate', 'paravent_owner') AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
UNION ALL
SELECT 'paravent_owner', 'can log in' FROM pg_roles WHERE rolname = 'paravent_owner' AND rolcanlogin
UNION ALL
SELECT low.rolname, 'is a member of ' || m.roleid::regrole FROM low JOIN pg_auth_members AS m ON m.member = low.oid
UNION ALL
SELECT m.member::regrole::text, 'is a member of ' || r.rolname FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid WHERE r.rolname IN ('paravent_owner', 'paravent_gate', 'paravent_reader')
  AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = m.member)
UNION ALL
SELECT low.rolname, 'has a setting of its own: ' || split_part(c, '=', 1) FROM low JOIN pg_db_role_setting AS s ON s.setrole = low.oid, unnest(s.setconfig) AS c
  WHERE NOT (c LIKE 'search_path=%' AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
SELECT c.oid::regclass::text, 'has row-level security, so that paravent_owner, and with it every employee, may see none of its rows' FROM pg_class AS c
  WHERE c.oid = ANY ($3::oid[]) AND c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_policy AS y WHERE y.polrelid = c.oid AND (0 = ANY (y.polroles) OR 'paravent_owner'::regrole = ANY (y.polroles)))
UNION ALL
SELECT a.object, CASE WHEN now.state IS NULL THEN 'is gone' ELSE 'isn''t as it was applied' END FROM paravent.applied AS a
  LEFT JOIN (SELECT object, state FROM paravent_state) AS now ON now.object = a.object
  WHERE a.source = $1 AND a.object !~ '^hidden ' AND now.state IS DISTINCT FROM a.state
UNION ALL
SELECT now.object, 'wasn''t made by paravent' FROM paravent_state AS now WHERE NOT EXISTS (SELECT FROM paravent.applied AS a WHERE a.object = now.object)
ORDER BY 1, 2
