/**
 * What is shown of a program before it runs: for given dimensions, that every index stays inside
 * its buffer, and how its memory is laid out; what its steps may fail at, write, and leave
 * unwritten. Pure functions of programs, which are plain data.
 */
package damo.verify;
