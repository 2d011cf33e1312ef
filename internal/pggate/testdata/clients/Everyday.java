// What a program with the JDBC driver does all day. The connection is the argument.
import java.sql.*;
import java.math.BigDecimal;
import java.io.*;
import java.util.Arrays;
import org.postgresql.PGConnection;

public class Everyday {
  static Connection c;

  static void show(ResultSet r) throws SQLException {
    ResultSetMetaData m = r.getMetaData();
    StringBuilder b = new StringBuilder();
    for (int i = 1; i <= m.getColumnCount(); i++) b.append(m.getColumnName(i)).append(':').append(m.getColumnTypeName(i)).append(' ');
    System.out.println(b);
    while (r.next()) {
      b = new StringBuilder();
      for (int i = 1; i <= m.getColumnCount(); i++) {
        Object o = r.getObject(i);
        b.append(o instanceof byte[] ? Arrays.toString((byte[]) o) : String.valueOf(o)).append('|');
      }
      System.out.println(b);
    }
  }

  static void error(SQLException e) {
    for (SQLException x = e; x != null; x = x.getNextException()) System.out.println(x.getClass().getName() + " " + x.getSQLState() + " " + x.getMessage());
  }

  static void run(String sql, Object... args) throws SQLException {
    System.out.println("> " + (sql.length() > 70 ? sql.substring(0, 70) : sql));
    try (PreparedStatement s = c.prepareStatement(sql)) {
      for (int i = 0; i < args.length; i++) s.setObject(i + 1, args[i]);
      boolean rows = s.execute();
      while (true) {
        if (rows) show(s.getResultSet());
        else if (s.getUpdateCount() == -1) break;
        else System.out.println("count " + s.getUpdateCount());
        for (SQLWarning w = s.getWarnings(); w != null; w = w.getNextWarning()) System.out.println("warning " + w.getMessage());
        s.clearWarnings();
        rows = s.getMoreResults();
      }
    } catch (SQLException e) { error(e); }
  }

  public static void main(String[] args) throws Exception {
    c = DriverManager.getConnection(args[0], args[1], args[2]);
    for (String sql : new String[] {"select null, true, 1.50::numeric, 'NaN'::float8, 9223372036854775807, ''", "select '{1,2,NULL}'::int[], '{{a,b},{c,d}}'::text[], '{\"a\":[1]}'::jsonb, '\\xdeadbeef'::bytea",
        "select date '2026-02-28', timestamptz '2026-02-28 12:00+02', interval '1 year -3 days', uuid '00000000-0000-0000-0000-000000000001'", "select * from customers order by id", "select 1/0", "select 1; select 2", "select * from nowhere"}) run(sql);
    for (int i = 0; i < 8; i++) run("select name, balance, photo from customers where id = ?", (long) (40 + i)); // named on the server from the fifth on
    run("select ?::int, ?::text, ?::numeric, ?::date", 1, null, new BigDecimal("1.5"), Date.valueOf("2026-02-28"));
    run("select ?::int", "x");
    run("do $$ begin raise notice 'noticed'; raise warning 'warned'; end $$");
    c.setAutoCommit(false);
    run("insert into articles values (9001, 'x', 1) returning *");
    Savepoint a = c.setSavepoint("a");
    run("select 1/0");
    run("select 'this fails'");
    c.rollback(a);
    run("select count(*) from articles");
    c.rollback();
    try (PreparedStatement s = c.prepareStatement("insert into articles values (?, ?, 1)")) {
      for (int i = 0; i < 400; i++) { s.setInt(1, 9100 + i); s.setString(2, "t" + i); s.addBatch(); }
      System.out.println(Arrays.toString(s.executeBatch()));
    }
    try (PreparedStatement s = c.prepareStatement("insert into articles values (?, ?, 1)")) {
      for (int i = 0; i < 20; i++) { s.setInt(1, i == 11 ? 9100 : 9800 + i); s.setString(2, "t" + i); s.addBatch(); }
      System.out.println(Arrays.toString(s.executeBatch()));
    } catch (BatchUpdateException e) { System.out.println(Arrays.toString(e.getUpdateCounts())); error(e); }
    c.rollback();
    try (Statement s = c.createStatement()) { // a portal, in pieces
      s.setFetchSize(100);
      int n = 0;
      try (ResultSet r = s.executeQuery("select n, md5(n::text) from generate_series(1, 5000) n")) { while (r.next()) n += r.getString(2).length(); }
      System.out.println(n);
    }
    c.commit();
    StringWriter w = new StringWriter();
    System.out.println(((PGConnection) c).getCopyAPI().copyOut("copy articles to stdout with csv", w) + w.toString());
    try { ((PGConnection) c).getCopyAPI().copyOut("copy (select 1/(id-3) from articles order by id) to stdout", new StringWriter()); } catch (SQLException e) { error(e); }
    c.rollback();
    run("create temp table mine (a int, b text)");
    System.out.println(((PGConnection) c).getCopyAPI().copyIn("copy mine from stdin", new StringReader("1\tone\n2\t\\N\n")));
    run("select * from mine");
    c.rollback();
    c.setAutoCommit(true);
    try (Statement s = c.createStatement()) {
      Thread t = new Thread(() -> { try { Thread.sleep(400); s.cancel(); } catch (Exception e) { System.out.println(e); } });
      t.start();
      try { s.execute("select pg_sleep(20)"); } catch (SQLException e) { error(e); }
      t.join();
    }
    try (Statement s = c.createStatement()) {
      s.setQueryTimeout(1);
      try { s.execute("select pg_sleep(20)"); } catch (SQLException e) { error(e); }
    }
    int n = 0;
    try (ResultSet r = c.createStatement().executeQuery("select n, repeat('x', 100) from generate_series(1, 50000) n")) { while (r.next()) n++; }
    System.out.println(n);
    c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    c.setReadOnly(true);
    run("show transaction_isolation");
    try (ResultSet r = c.getMetaData().getColumns(null, "public", "customers", "%")) { while (r.next()) System.out.println(r.getString("COLUMN_NAME") + " " + r.getString("TYPE_NAME") + " " + r.getInt("COLUMN_SIZE")); }
    try (ResultSet r = c.getMetaData().getPrimaryKeys(null, "public", "customers")) { while (r.next()) System.out.println(r.getString("COLUMN_NAME")); }
    System.out.println(c.isValid(2));
    c.close();
  }
}
