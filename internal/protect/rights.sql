-- Every right that comes through PUBLIC and that an employee must not have:
-- kind, object, owner, who granted it, the privileges. $1: the open tables.
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname <> 'paravent' AND nspname !~ '^paravent_')
, found AS (
  SELECT 'DATABASE' AS kind, quote_ident(d.datname) AS object, d.datdba AS owner, a.grantor, a.privilege_type AS privilege
  FROM pg_database AS d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
  WHERE d.datname = current_database() AND a.grantee = 0 AND a.privilege_type IN ('TEMPORARY', 'CREATE')
  UNION ALL
  SELECT 'LANGUAGE', quote_ident(l.lanname), l.lanowner, a.grantor, a.privilege_type
  FROM pg_language AS l, aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) AS a WHERE l.laninline <> 0 AND a.grantee = 0
  UNION ALL
  SELECT 'SCHEMA', quote_ident(n.nspname), n.nspowner, a.grantor, a.privilege_type
  FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE a.grantee = 0 AND a.privilege_type = 'CREATE' AND n.nspname !~ '^pg_(toast_)?temp_'
  UNION ALL
  -- No table that isn't open, whether the data map names it or not; and none of
  -- PostgreSQL's own views on activity, locks and statistics.
  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relowner, a.grantor, a.privilege_type
  FROM pg_class AS c, aclexplode(c.relacl) AS a
  WHERE a.grantee = 0 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
    AND (c.relnamespace IN (SELECT oid FROM ours) AND NOT (c.oid = ANY ($1::oid[]) AND a.privilege_type = 'SELECT')
      OR c.relnamespace = 'pg_catalog'::regnamespace AND c.relname ~ '^pg_(stat_.*|statio_.*|stats.*|locks|prepared_xacts|replication_.*|largeobject_metadata)$')
  UNION ALL
  SELECT 'COLUMN', c.oid::regclass::text || '.' || quote_ident(t.attname), c.relowner, a.grantor, a.privilege_type
  FROM pg_class AS c JOIN pg_attribute AS t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped, aclexplode(t.attacl) AS a
  WHERE a.grantee = 0 AND c.relnamespace IN (SELECT oid FROM ours) AND NOT (c.oid = ANY ($1::oid[]) AND a.privilege_type = 'SELECT')
  UNION ALL
  -- The shop's own functions (they may run as their owner), those of extensions
  -- that do more than compute, and PostgreSQL's own that run SQL, keep something
  -- for later, speak to others, or count what others have.
  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner, a.grantor, a.privilege_type
  FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
  WHERE a.grantee = 0 AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
    AND (p.pronamespace IN (SELECT oid FROM ours) AND (p.prosecdef OR p.provolatile = 'v'
        OR NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
      OR p.pronamespace = 'pg_catalog'::regnamespace AND (p.proname ~ ('^(lo_.*|loread|lowrite|pg_notify|pg_(try_)?advisory_.*|(query|table|cursor|schema|database)_to_xml.*'
          || '|ts_stat|pg_stat_.*|pg_(cancel|terminate)_backend|pg_(database|tablespace|relation|table|indexes|total_relation)_size|pg_export_snapshot'
          || '|pg_logical_.*|pg_lock_status|pg_(safe_snapshot_)?blocking_pids|pg_prepared_xact|pg_listening_channels|pg_notification_queue_usage|pg_(current|last)_wal_.*|pg_walfile_.*'
          || '|pg_get_replication_slots|pg_replication_.*|pg_create_.*_slot|pg_drop_replication_slot|pg_xact_commit_timestamp.*|pg_last_committed_xact|pg_get_multixact_members|currtid.*'
          || '|pg_relation_filenode|pg_relation_filepath|pg_sequence_last_value|gin_clean_pending_list|brin_.*|pg_control_.*|pg_get_aios|pg_wait_for_backend_termination)$')
        OR p.oid = 'ts_rewrite(tsquery, text)'::regprocedure))
)
SELECT kind, object, pg_get_userbyid(owner)::text, pg_get_userbyid(grantor)::text, array_agg(DISTINCT privilege ORDER BY privilege)::text[]
FROM found GROUP BY kind, object, owner, grantor ORDER BY kind, object COLLATE "C", grantor
