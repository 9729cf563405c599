// As in the Go package relay/wire.
const TYPE_BYTES = 255;

/**
 * Say what is wrong with the name of an event.
 *
 * @param {*} type
 * @return {string} '' when nothing is
 */
export function wrongType( type ) {
	if ( typeof type !== 'string' || type === '' ) {
		return 'the type must be a string that is not empty';
	}
	// eslint-disable-next-line no-control-regex
	if ( /[\u0000-\u001f\u007f-\u009f]/.test( type ) ) {
		return 'the type has a control character';
	}
	try {
		const bytes = encodeURIComponent( type ).replace( /%../g, '-' ).length;
		return bytes > TYPE_BYTES ? 'the type has ' + bytes + ' bytes of UTF-8, at most ' + TYPE_BYTES + ' are allowed' : '';
	} catch ( e ) {
		return 'the type is not valid Unicode';
	}
}

/**
 * Read the recipients of a message in each form that callers may use.
 *
 * @param {*} to an array of client ids or one comma-separated string; nothing, false, 0, '', [] and [ 0 ] mean everyone
 * @return {string[]} empty for everyone
 */
export function recipients( to ) {
	return ( Array.isArray( to ) ? to : String( to || '' ).split( ',' ) )
		.map( ( id ) => String( id ).trim() )
		.filter( ( id ) => id !== '' && id !== '0' );
}
