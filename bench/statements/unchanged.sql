$lookup
$get
