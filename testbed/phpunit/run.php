<?php
// Debian's PHPUnit through MediaWiki 1.39's own entry point.
require_once 'PHPUnit/Autoload.php';
require getenv( 'MW_INSTALL_PATH' ) . '/tests/phpunit/phpunit.php';
