/**
 * Models: programs with their states, in memory and in files. {@link damo.model.Model#load} is
 * where a Java application begins.
 */
package damo.model;
