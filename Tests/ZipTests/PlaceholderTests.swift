import Testing
@testable import Zip
