module replaced-method

go 1.19
