window.fooPolls = 0;
window.fooMessages = [];

function renderFooData() {
	window.fooPolls++;
}

function updateFooData( data ) {
	if ( data && data.type ) {
		window.fooMessages.push( data.msg );
	}
	$.ajax( {
		type: 'GET',
		url: mw.util.wikiScript( 'api' ),
		data: { action: 'query', meta: 'siteinfo', format: 'json' },
		dataType: 'json',
		success: renderFooData
	} ).then( function () {
		if ( !( typeof webSocket === 'object' && webSocket.connected() ) ) {
			setTimeout( updateFooData, 250 );
		}
	} );
}

$( function () {
	if ( typeof webSocket === 'object' ) {
		window.ws = webSocket.connect();
		webSocket.disconnected( updateFooData );
		webSocket.subscribe( 'FooDataChanged', updateFooData );
	}
	updateFooData();
} );
