SELECT 'function ' || p.oid::regprocedure AS object, md5(concat_ws('|', p.prosrc, p.prosecdef, p.proconfig, p.provolatile, p.proowner::regrole, p.proparallel,
    (SELECT string_agg(a.grantee::regrole || ':' || a.privilege_type, ',' ORDER BY a.grantee::regrole::text COLLATE "C") FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a))) AS state
  FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('paravent')
UNION ALL
SELECT CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'table ' END || c.oid::regclass, md5(concat_ws('|', CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END, c.relowner::regrole,
    (SELECT string_agg(a.grantee::regrole || ':' || a.privilege_type, ',' ORDER BY a.grantee::regrole::text COLLATE "C", a.privilege_type) FROM aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))) AS a)))
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'S') AND n.nspname IN ('paravent', 'SCHEMA')
