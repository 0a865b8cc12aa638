module h2_endpoint

go 1.19
