<?php
// validate-extension.php MEDIAWIKI SCHEMA FILE   checks extension.json against MediaWiki's schema, with the validator
// in MediaWiki's vendor folder. (maintenance/validateRegistrationFile.php wants packages that only Composer installs.)
[ , $mediawiki, $schema, $file ] = $argv;
require "$mediawiki/vendor/autoload.php";

$data = json_decode( file_get_contents( $file ) );
if ( $data === null ) {
	fwrite( STDERR, "$file: " . json_last_error_msg() . "\n" );
	exit( 1 );
}
$validator = new JsonSchema\Validator;
$validator->validate( $data, (object)[ '$ref' => 'file://' . realpath( $schema ) ] );
foreach ( $validator->getErrors() as $error ) {
	fwrite( STDERR, "$file: {$error['property']}: {$error['message']}\n" );
}
exit( $validator->isValid() ? 0 : 1 );
