import Testing
@testable import SQLiteSnapshot
