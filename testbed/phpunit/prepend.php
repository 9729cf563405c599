<?php
// auto_prepend_file of the PHPUnit runs: what MediaWiki's test classes expect from Composer's development packages.
require_once 'Hamcrest.php';
spl_autoload_register( static function ( $class ) {
	if ( $class === 'Wikimedia\TestingAccessWrapper' ) {
		require __DIR__ . '/TestingAccessWrapper.php';
	}
} );
