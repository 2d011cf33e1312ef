// Package task knows the reasons to look: tasks, who is to work on them, and
// the calls that the telephone system hands out. It also holds the connector
// that brings these facts in from CSV files of the review's columns.
//
// It decides nothing: how an employee stands to a task is a fact for policy. It
// keeps nothing either; a Store does.
package task
