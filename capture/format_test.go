package capture

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The document names every table, view and column, and the numbers of the file.
func TestFormatIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../docs/capture-format.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for _, want := range []string{fmt.Sprintf("`%#x`", applicationID), fmt.Sprintf("format, now %d", schemaVersion)} {
		if !strings.Contains(doc, want) {
			t.Errorf("the document does not say %s", want)
		}
	}
	s, err := Open(recorded(t, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	err = s.read(context.Background(), func(c *conn) error {
		st, err := c.prepare("SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p " +
			"WHERE m.type IN ('table','view') AND m.name NOT LIKE 'search_%' AND m.name NOT LIKE 'sqlite_%'")
		if err != nil {
			return err
		}
		defer st.Close()
		return st.each(func(row []driver.Value) error {
			n++
			table, column := columns(row).str(0), columns(row).str(1)
			if !strings.Contains(doc, "**"+table+"**") && !strings.Contains(doc, "`"+table+"` has") {
				t.Errorf("table %s is not documented", table)
			}
			if !strings.Contains(doc, "`"+column+"`") {
				t.Errorf("column %s of %s is not documented", column, table)
			}
			return nil
		})
	})
	if err != nil || n < 80 {
		t.Errorf("%d columns, error %v", n, err)
	}
}

// Flows and connections are written by the columns of their tables, in their order.
func TestColumnsAreThoseOfTheTable(t *testing.T) {
	s, err := Open(recorded(t, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	columnsOf := func(table string) (names []string) {
		err := s.read(context.Background(), func(c *conn) error {
			st, err := c.prepare("SELECT name FROM pragma_table_info(?)")
			if err != nil {
				return err
			}
			defer st.Close()
			return st.each(func(row []driver.Value) error {
				names = append(names, columns(row).str(0))
				return nil
			}, table)
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	flows := columnsOf("flows")
	if got := strings.Join(flows, ","); got != flowColumns || len(flows) != flowColumnCount || flows[columnMore] != "more" ||
		flows[columnDatagrams] != "datagrams_sent" || flows[columnAnswers] != "answers_id" {
		t.Errorf("table: %s\ncode:  %s", got, flowColumns)
	}
	connections := columnsOf("connections")
	if want := "SELECT c." + strings.Join(connections, ",c.") + ",t."; len(connections) != connectionWidth || !strings.HasPrefix(selectConnection, want) {
		t.Errorf("table: %s\ncode:  %s", want, selectConnection)
	}
}
