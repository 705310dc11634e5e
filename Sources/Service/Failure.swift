/// A failure that its message tells all about; the exit status is 1.
package struct Failure: Error, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}
